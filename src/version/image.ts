import type { Dialect } from './dialect.ts'
import { parseImageRange } from './image-range.ts'
import { compareImageVersions, readImageVersion, whyNoImageVersion, type ImageVersion } from './image-version.ts'

/**
 * Container tags, read as Renovate's docker versioning reads them: `[v]N[.N[.N[.N]]][prerelease][-variant]`. The variant must be equal to the
 * range's; `22` and `22.9` stand for the newest of their line, so they fit only where all of that line fits, and rank below every
 * longer tag of it.
 */
export const imageDialect: Dialect<ImageVersion> = {
  read: readImageVersion,
  compare: compareImageVersions,
  parse: parseImageRange,
  whyUnread: whyNoImageVersion,
}
