/** How cosign signs and attests with keys and without any other service, and how it verifies; in both of its formats. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pinnedVersion } from '../support/tools.ts'
import type { Attachment, Spot, SubjectKind } from './signing.ts'

/** `referrer`: bundles as referrers, cosign's own choice. `tag`: one artifact by the tag `sha256-<digest>.sig` or `.att`. */
export type Format = 'referrer' | 'tag'

/** Whom to believe: the private or public half of a key pair. */
type Keys = keyof Spot['keys']

const client = `cosign ${pinnedVersion('cosign')}`
const http = ['--allow-http-registry']
const wordings: Record<Format, string> = { referrer: 'referrer', tag: 'tag schema' }
const predicates: Record<Format, { type: string; json: string }> = {
  referrer: { type: 'spdxjson', json: '{"name":"an SBOM","spdxVersion":"SPDX-2.3"}' },
  tag: {
    type: 'slsaprovenance1',
    json: '{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.com/builder"}}}',
  },
}

export const cosignAttachments = (['referrer', 'tag'] as const).flatMap((format): Attachment[] => [
  signature('signature', 'image', format),
  signature('signature of a multi-platform image', 'index', format),
  signature('signature of a Helm chart', 'chart', format),
  {
    ...common(`signatures by two keys, ${wordings[format]}`, 'image'),
    async make(spot) {
      await sign(spot, format, 'one')
      await sign(spot, format, 'two')
      return []
    },
    async check(spot) {
      await keepWhole(spot)
      await verify(spot, format, 'one')
      await verify(spot, format, 'two')
    },
  },
  {
    ...common(`attestation, ${wordings[format]}`, 'image'),
    make: attested(format),
    async check(spot) {
      await keepWhole(spot)
      await verifyAttestation(spot, format, 'one')
    },
  },
  {
    ...common(`download attestation, ${wordings[format]}`, 'image'),
    // It looks for the older tag, whatever it has found before.
    ...(format === 'referrer' && { unanswered: 'always' }),
    make: attested(format),
    async check(spot) {
      await keepWhole(spot)
      await download(spot, 'attestation')
    },
  },
  {
    ...common(`tree, ${wordings[format]}`, 'image'),
    ...(format === 'tag' && { unanswered: 'without API' }),
    async make(spot) {
      await sign(spot, format, 'one')
      return attested(format)(spot)
    },
    async check(spot) {
      await keepWhole(spot)
      await verify(spot, format, 'one')
      await verifyAttestation(spot, format, 'one')
      await treeShows(spot, format)
    },
  },
])

export async function sign(spot: Spot, format: Format, key: Keys): Promise<void> {
  const flags = signingFlags(`${spot.keys[key]}.key`, format)
  await spot.tool('cosign', 'sign', ...flags, spot.byDigest)
}

export async function attest(spot: Spot, format: Format, key: Keys): Promise<void> {
  const { type, json } = predicates[format]
  const predicate = join(spot.folder, 'predicate.json')
  await writeFile(predicate, json)
  const flags = signingFlags(`${spot.keys[key]}.key`, format)
  await spot.tool('cosign', 'attest', ...flags, '--type', type, '--predicate', predicate, spot.byDigest)
}

/** @throws with what cosign says when there is no signature by this key */
export async function verify(spot: Spot, format: Format, key: Keys): Promise<void> {
  const flags = trustFlags(`${spot.keys[key]}.pub`, format)
  const printed = await spot.tool('cosign', 'verify', ...flags, '--output', 'json', spot.reference)
  if (!printed.includes(`"docker-manifest-digest":"${spot.digest}"`)) throw new Error(`another image:\n${printed}`)
}

/** @throws with what cosign says when there is no attestation of this type by this key */
export async function verifyAttestation(spot: Spot, format: Format, key: Keys): Promise<void> {
  const { type, json } = predicates[format]
  const flags = trustFlags(`${spot.keys[key]}.pub`, format)
  const printed = await spot.tool('cosign', 'verify-attestation', ...flags, '--type', type, spot.reference)
  const [statement = ''] = payloadsIn(printed)
  const isWhole = statement.replaceAll(/\s/g, '').includes(json.replaceAll(/\s/g, ''))
  if (!isWhole || !statement.includes(hexOf(spot))) throw new Error(`not what was attested:\n${statement}`)
}

/** Of `cosign sign` and `cosign attest`: keys alone, no transparency log, and no look at Sigstore's own services. */
export function signingFlags(privateKey: string, format: Format): string[] {
  const withoutServices = ['--yes', '--tlog-upload=false', '--use-signing-config=false']
  return ['--key', privateKey, ...withoutServices, ...http, ...formatFlag(format)]
}

/** Of `cosign verify` and `cosign verify-attestation`: what has no entry in a transparency log is believed too. */
export function trustFlags(publicKey: string, format: Format): string[] {
  return ['--key', publicKey, '--insecure-ignore-tlog', ...http, ...formatFlag(format)]
}

/** What an outage needs: all of an image that is not kept whole would be refused then. */
export async function keepWhole({ reference, folder, tool }: Spot): Promise<void> {
  await tool('crane', 'pull', '--format=oci', reference, join(folder, 'pulled'))
}

function signature(what: string, on: SubjectKind, format: Format): Attachment {
  return {
    ...common(`${what}, ${wordings[format]}`, on),
    async make(spot) {
      await sign(spot, format, 'one')
      return []
    },
    async check(spot) {
      await keepWhole(spot)
      await verify(spot, format, 'one')
      await download(spot, 'signature')
    },
  }
}

function attested(format: Format): Attachment['make'] {
  return async (spot) => {
    await attest(spot, format, 'one')
    return []
  }
}

function common(what: string, on: SubjectKind): Pick<Attachment, 'client' | 'what' | 'tools' | 'on'> {
  return { client, what, on, tools: ['cosign', 'crane'] }
}

async function treeShows({ reference, tool }: Spot, format: Format): Promise<void> {
  const printed = await tool('cosign', 'tree', ...http, reference)
  const wanted =
    format === 'tag'
      ? ['Signatures for an image tag', 'Attestations for an image tag']
      : ['https://sigstore.dev/cosign/sign/v1', 'https://spdx.dev/Document']
  for (const text of wanted)
    if (!printed.includes(text)) throw new Error(`cosign tree does not show ${text}:\n${printed}`)
}

async function download(spot: Spot, kind: 'signature' | 'attestation'): Promise<void> {
  const printed = await spot.tool('cosign', 'download', kind, ...http, spot.reference)
  const named = payloadsIn(printed).filter((payload) => payload.includes(hexOf(spot)))
  if (named.length === 0) throw new Error(`cosign download ${kind} does not name the image:\n${printed}`)
}

/** What was signed, in every spelling of cosign's. */
function payloadsIn(printed: string): string[] {
  const found = [...printed.matchAll(/"[Pp]ayload":"([A-Za-z0-9+/=]+)"/g)]
  return found.map(([, base64 = '']) => Buffer.from(base64, 'base64').toString())
}

function hexOf({ digest }: Spot): string {
  return digest.slice(digest.indexOf(':') + 1)
}

function formatFlag(format: Format): string[] {
  return format === 'tag' ? ['--new-bundle-format=false'] : []
}
