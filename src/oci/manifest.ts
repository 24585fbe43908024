/** What a registry reads in a manifest: which content it reaches (image-spec manifest.md, image-index.md). Its bytes are never changed. */
import type { Descriptor } from './descriptor.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from './digest.ts'
import { OciError, type OciErrorOptions } from './errors.ts'
import { createGauge, parseJson, parseUnambiguousJson } from './json.ts'
import { isForeignLayerType, isImageType, isIndexType, isMediaType, isSchema1Type } from './media-types.ts'

/** The largest manifest that is taken: what the distribution spec asks registries to support. */
export const maxManifestBytes = 4 * 1024 * 1024

/** `foreign`: registries need not have it, so a closure is complete without it. */
interface Child extends Descriptor {
  foreign?: true
}

export interface ManifestFacts {
  /** `opaque`: of a type that is not read here; kept and served as it is, and its children are not known. */
  kind: 'index' | 'image' | 'opaque'
  mediaType: string
  /** Of an index its manifests; of an image its config, then its layers. Never their `urls`. */
  children: Child[]
  subject?: Descriptor
  artifactType?: string
  annotations?: Record<string, string>
}

type JsonObject = Record<string, unknown>

/** Go reads member names without regard to case: a member that differs from these in case alone reads differently here and there. */
const members = namesOf(
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
)
const descriptorMembers = namesOf(
  'mediaType',
  'digest',
  'size',
  'urls',
  'annotations',
  'data',
  'artifactType',
  'platform',
)

/**
 * @param mediaType the Content-Type that the bytes came with, without parameters
 * @throws OciError MANIFEST_INVALID where it contradicts its type or itself (CVE-2021-41190), UNSUPPORTED for what cannot be verified
 */
export function readManifest(bytes: Uint8Array, mediaType: string): ManifestFacts {
  if (bytes.length > maxManifestBytes) throw invalid(`it is larger than ${maxManifestBytes} bytes`, 413)
  if (!isMediaType(mediaType)) throw invalid('its Content-Type is no media type')
  if (isSchema1Type(mediaType)) throw unsupported('Docker schema 1 manifests are not supported')
  const known = isIndexType(mediaType) || isImageType(mediaType)
  const document = known ? parseObject(bytes) : parseOpaque(bytes)
  if (!document) return { kind: 'opaque', mediaType, children: [] }
  checkType(document, mediaType)
  if (!known) return { kind: 'opaque', mediaType, children: [] }
  checkSpelling(document, members)
  checkVersion(document)
  return isIndexType(mediaType) ? readIndex(document, mediaType) : readImage(document, mediaType)
}

/**
 * Takes a manifest as it arrives, so that one that would be refused for its shape is refused before it is here.
 * @throws OciError MANIFEST_INVALID
 */
export function gaugeManifest(mediaType: string): (bytes: Uint8Array) => void {
  if (!isIndexType(mediaType) && !isImageType(mediaType)) return () => {}
  const gauge = createGauge()
  return (bytes) => readable(() => gauge.take(bytes), { endsConnection: true })
}

/** @throws OciError MANIFEST_INVALID, or UNSUPPORTED for a digest whose algorithm is not known here */
export function readDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw invalid('a descriptor is no object')
  checkSpelling(value, descriptorMembers)
  const { mediaType, digest, size } = value
  if (typeof mediaType !== 'string') throw invalid('a descriptor has no mediaType')
  if (typeof digest !== 'string') throw invalid('a descriptor has no digest')
  const parsed = parseDigest(digest)
  if (!parsed) throw unsupported('a descriptor has a digest that is neither sha256 nor sha512')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid('a descriptor has no valid size')
  checkData(value.data, parsed, size)
  return {
    mediaType,
    digest: parsed,
    size,
    ...(isText(value.artifactType) && { artifactType: value.artifactType }),
    ...optionalAnnotations(value.annotations),
    ...optionalPlatform(value.platform),
  }
}

function readIndex(document: JsonObject, mediaType: string): ManifestFacts {
  if (isPresent(document.layers) || isPresent(document.config))
    throw invalid('it is an index and has layers or a config')
  const children = descriptorsOf(document.manifests, 'manifests')
  return { kind: 'index', mediaType, children, ...commonFacts(document) }
}

function readImage(document: JsonObject, mediaType: string): ManifestFacts {
  if (isPresent(document.manifests)) throw invalid('it is an image manifest and has manifests')
  if (!isPresent(document.config)) throw invalid('it is an image manifest and has no config')
  const layers = descriptorsOf(document.layers, 'layers').map(markForeign)
  return { kind: 'image', mediaType, children: [readDescriptor(document.config), ...layers], ...commonFacts(document) }
}

function commonFacts(document: JsonObject): Pick<ManifestFacts, 'subject' | 'artifactType' | 'annotations'> {
  return {
    ...(isPresent(document.subject) && { subject: readDescriptor(document.subject) }),
    ...(isText(document.artifactType) && { artifactType: document.artifactType }),
    ...optionalAnnotations(document.annotations),
  }
}

function markForeign(layer: Descriptor): Child {
  return isForeignLayerType(layer.mediaType) ? { ...layer, foreign: true } : layer
}

/** Go writes an empty list as null. */
function descriptorsOf(value: unknown, member: string): Descriptor[] {
  if (!isPresent(value)) return []
  if (!Array.isArray(value)) throw invalid(`its ${member} are no list`)
  return value.map(readDescriptor)
}

function checkSpelling(document: JsonObject, names: ReadonlyMap<string, string>): void {
  for (const name of Object.keys(document)) {
    const meant = names.get(folded(name))
    if (meant !== undefined && meant !== name)
      throw invalid(`a member is written ${JSON.stringify(name)} instead of ${meant}`)
  }
}

function namesOf(...names: string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [folded(name), name]))
}

/** Go's encoding/json takes U+017F for an s, and U+212A for a k. */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase()
}

/** The content itself, in base64: clients may take it instead of the blob (image-spec descriptor.md, "Embedded Content"). */
function checkData(data: unknown, digest: Digest, size: number): void {
  if (!isPresent(data)) return
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : undefined
  const isIt = bytes?.length === size && bytes.toString('base64') === data
  if (!isIt || digestOf(bytes, algorithmOf(digest)) !== digest)
    throw invalid(`a descriptor has data that is not the content of ${digest} in base64`)
}

function checkVersion(document: JsonObject): void {
  if (document.schemaVersion === 1) throw unsupported('Docker schema 1 manifests are not supported')
  if (isPresent(document.schemaVersion) && document.schemaVersion !== 2) throw invalid('its schemaVersion is not 2')
}

function checkType(document: JsonObject, mediaType: string): void {
  if (isPresent(document.mediaType) && document.mediaType !== mediaType)
    throw invalid('its mediaType is not the Content-Type that it came with')
}

function parseObject(bytes: Uint8Array): JsonObject {
  const value = readable(() => parseUnambiguousJson(bytes))
  if (!isObject(value)) throw invalid('it is no JSON object')
  return value
}

function readable<T>(read: () => T, options: Pick<OciErrorOptions, 'endsConnection'> = {}): T {
  try {
    return read()
  } catch (cause) {
    const reason = cause instanceof Error && !cause.message.includes('JSON') ? cause.message : 'not JSON'
    throw new OciError('MANIFEST_INVALID', `The manifest cannot be read: ${reason}.`, { ...options, cause })
  }
}

/** Of a type that is not read here the document may be anything at all. */
function parseOpaque(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(bytes)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function optionalAnnotations(value: unknown): { annotations?: Record<string, string> } {
  if (!isPresent(value)) return {}
  if (!isObject(value)) throw invalid('its annotations are no object')
  if (!isTextMap(value)) throw invalid('an annotation is no text')
  return { annotations: value }
}

function optionalPlatform(value: unknown): Pick<Descriptor, 'platform'> {
  if (!isObject(value)) return {}
  const { os, architecture, variant } = value
  if (!isText(os) || !isText(architecture)) return {}
  return { platform: { os, architecture, ...(isText(variant) && { variant }) } }
}

function isTextMap(value: JsonObject): value is Record<string, string> {
  return Object.values(value).every((item) => typeof item === 'string')
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null
}

function invalid(reason: string, status = 400): OciError {
  return new OciError('MANIFEST_INVALID', `The manifest cannot be accepted: ${reason}.`, { status })
}

function unsupported(reason: string): OciError {
  return new OciError('UNSUPPORTED', `The manifest cannot be accepted: ${reason}.`, { status: 400 })
}
