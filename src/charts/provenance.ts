/** A provenance file of `helm package --sign`: whether it speaks of this archive at all. Whose signature it is, `helm --verify` tells. */
import { type Digest, hexOf } from '../oci/digest.ts'

/** Of a file that is a few KiB, Chart.yaml and a signature. */
export const largestProvenance = 1024 * 1024

/** `strange`: no signed message, such as the page that some servers send for what they do not have. */
export type ProvenanceState = 'names it' | 'names another' | 'strange'

const begin = '-----BEGIN PGP SIGNED MESSAGE-----'
const signature = '-----BEGIN PGP SIGNATURE-----'

/** The message ends with `files:`, and a line `  <file>: sha256:<hex>` for each (pkg/provenance of Helm: messageBlock). */
export function readProvenance(bytes: Uint8Array, archive: Digest): ProvenanceState {
  const text = Buffer.from(bytes).toString('utf8').replaceAll('\r\n', '\n')
  const [start, end] = [text.indexOf(begin), text.indexOf(signature)]
  if (start < 0 || end < start) return 'strange'
  const message = text.slice(start, end)
  const files = message.slice(message.lastIndexOf('\nfiles:\n') + 1)
  const named = [...files.matchAll(/^ +\S+\.tgz: "?sha256:([0-9a-f]{64})"?$/gm)].map(([, hex]) => hex)
  return named.includes(hexOf(archive)) ? 'names it' : 'names another'
}
