/** Media types that a registry has to know: everything else passes through it unread. */

export const ociIndex = 'application/vnd.oci.image.index.v1+json'
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
export const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'
export const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json'

/** What blobs are served as, whatever a descriptor calls them: the type of a blob belongs to the manifest that names it. */
export const octetStream = 'application/octet-stream'

/**
 * The Accept header of every manifest request to an upstream. Always the full set, the wildcard last: distribution answers 404 or rewrites an
 * index where the accepted types are too few.
 */
export const manifestAccept = [ociIndex, ociManifest, dockerList, dockerManifest, '*/*'].join(', ')

// RFC 6838 section 4.2, "restricted-name", on both sides of the slash; no parameters.
const mediaTypePattern = /^[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}\/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}$/
const manifestPattern = /^application\/vnd\.[^/]+\+(?:json|prettyjws)$/i
const foreignLayerPattern =
  /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.v1\.tar|docker\.image\.rootfs\.foreign\.diff\.tar)(?:[.+](?:gzip|zstd))?$/
const schema1Pattern = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/

/** A type without parameters that may stand in a Content-Type header. */
export function isMediaType(text: string): boolean {
  return mediaTypePattern.test(text)
}

/**
 * Docker's and OCI's manifests and indexes, and artifact types of the same shape; no type of which a browser would make a page. Which of them
 * are taken is for the reader to say.
 */
export function isManifestType(mediaType: string): boolean {
  return isMediaType(mediaType) && manifestPattern.test(mediaType)
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === ociIndex || mediaType === dockerList
}

export function isImageType(mediaType: string): boolean {
  return mediaType === ociManifest || mediaType === dockerManifest
}

/** A layer that registries need not have: clients fetch it elsewhere (image-spec layer.md, "Non-Distributable Layers"). */
export function isForeignLayerType(mediaType: string): boolean {
  return foreignLayerPattern.test(mediaType)
}

/** Docker's schema 1, whose digest is not that of its bytes. */
export function isSchema1Type(mediaType: string): boolean {
  return schema1Pattern.test(mediaType)
}

/** Configs that a container runtime reads, so that it needs them and every layer; artifacts' clients take what they want. */
const containerConfigTypes = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
])

export function isContainerConfigType(mediaType: string): boolean {
  return containerConfigTypes.has(mediaType)
}

/** A layer of a container's file system, however it is packed; cosign's signatures have a container's config and other layers. */
export function isContainerLayerType(mediaType: string): boolean {
  return (
    mediaType.startsWith('application/vnd.oci.image.layer.') || mediaType.startsWith('application/vnd.docker.image.')
  )
}
