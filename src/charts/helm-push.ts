/** What `helm push` of Helm 3.22 and 4.3 makes of a chart: the same config, the same manifest, byte for byte (its pkg/registry: Push). */
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestOf } from '../oci/digest.ts'
import { goJson, type GoValue, sortedMap } from './go-json.ts'
import { metadataShape, structuresOf, textField } from './metadata.ts'
import { membersOf, type Structure } from './structure.ts'

export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
export const chartLayerType = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
export const provenanceLayerType = 'application/vnd.cncf.helm.chart.provenance.v1.prov'
const configType = 'application/vnd.cncf.helm.config.v1+json'

export interface Content {
  digest: Digest
  size: number
}

export interface ChartToPush {
  metadata: Structure
  archive: Content
  provenance?: Content | undefined
  /** RFC 3339 in whole seconds. */
  created: string
}

export function helmPush({ metadata, archive, provenance, created }: ChartToPush): {
  config: Buffer
  manifest: Buffer
} {
  const config = Buffer.from(goJson(membersOf(metadataShape, metadata)))
  const layers = [
    { mediaType: chartLayerType, ...archive },
    ...(provenance ? [{ mediaType: provenanceLayerType, ...provenance }] : []),
  ].toSorted((one, other) => (one.digest < other.digest ? -1 : 1))
  const manifest: GoValue = new Map<string, GoValue>([
    ['schemaVersion', 2],
    ['config', descriptor({ mediaType: configType, digest: digestOf(config), size: config.length })],
    ['layers', layers.map(descriptor)],
    ['annotations', annotationsOf(metadata, created)],
  ])
  return { config, manifest: Buffer.from(goJson(manifest)) }
}

/** The tag that Helm pushes a version to: a tag cannot have a plus sign. */
export function tagOf(version: string): string {
  return version.replaceAll('+', '_')
}

function descriptor({ mediaType, digest, size }: Descriptor): Map<string, GoValue> {
  return new Map<string, GoValue>([
    ['mediaType', mediaType],
    ['digest', digest],
    ['size', size],
  ])
}

const prefix = 'org.opencontainers.image.'

/** The chart's own annotations stand above ours, but for its title and version. */
function annotationsOf(metadata: Structure, created: string): Map<string, string> {
  const sources = metadata.get('sources')
  const [source] = Array.isArray(sources) ? sources : []
  const facts = {
    description: textField(metadata, 'description'),
    title: textField(metadata, 'name'),
    version: textField(metadata, 'version'),
    url: textField(metadata, 'home'),
    created,
    source: typeof source === 'string' ? source : '',
    authors: authorsOf(structuresOf(metadata, 'maintainers')),
  }
  const said = Object.entries(facts).flatMap(([name, text]) =>
    text.trim() === '' ? [] : [[prefix + name, text] as const],
  )
  const own = metadata.get('annotations')
  const others = [...(own instanceof Map ? own : [])].flatMap(([key, text]) =>
    typeof text !== 'string' || key === `${prefix}title` || key === `${prefix}version` ? [] : [[key, text] as const],
  )
  return sortedMap([...said, ...others])
}

function authorsOf(maintainers: Structure[]): string {
  return maintainers
    .map((maintainer) => {
      const email = textField(maintainer, 'email')
      return `${textField(maintainer, 'name')}${email === '' ? '' : ` (${email})`}`
    })
    .join(', ')
}
