/** Where things are that a push made: the header Location. */
import type { Digest } from '../oci/digest.ts'
import type { Head } from './guard.ts'
import type { Named } from './target.ts'

/**
 * Relative, since what we are called outside we do not know; absolute for Helm 3 on a plaintext listener, which tries https first, falls back
 * to http below its HTTP client, and would take a Location that is resolved against http for a downgrade
 * (docs/decisions/0005-absolute-location-for-helm-3.md).
 */
export function locationOf(head: Head, target: Named, place: Place): string {
  return `${originFor(head)}${target.base}/${pathOf(place)}`
}

type Place = { upload: string } | { blob: Digest } | { manifest: Digest }

function pathOf(place: Place): string {
  if ('upload' in place) return `blobs/uploads/${place.upload}`
  return 'blob' in place ? `blobs/${place.blob}` : `manifests/${place.manifest}`
}

function originFor(head: Head): string {
  const [host] = head.header('host')
  if (
    head.over !== 'plaintext' ||
    host === undefined ||
    !head.header('user-agent').some((agent) => agent.startsWith('Helm/3.'))
  )
    return ''
  return `https://${host}`
}
