/**
 * What differs between the releases of Masterminds/semver that clients are built with. All the rest (its grammar and what each operator
 * means) is the same in these three.
 */
export interface Masterminds {
  /** How many alternatives a range may have. */
  readonly maxGroups: number
  /** In bytes. Above it `NewVersion` fails, for a version in a range too. */
  readonly maxVersionLength: number
  /** Whose prerelease lets prereleases in: one of any comparator of the same AND group, or each comparator's own. */
  readonly prereleasesBy: 'group' | 'comparator'
  /** Whether `StrictNewVersion` takes `1.2.3-`, `1.2.3+` and `1.2.3-a..b`. */
  readonly emptyIdentifiers: boolean
}

/** Helm 3.20 and later, Helm 4, Flux 2. */
export const masterminds35: Masterminds = {
  maxGroups: 32,
  maxVersionLength: 256,
  prereleasesBy: 'group',
  emptyIdentifiers: false,
}

/** Argo CD 3. */
export const masterminds34: Masterminds = {
  ...masterminds35,
  maxGroups: Number.POSITIVE_INFINITY,
  maxVersionLength: Number.POSITIVE_INFINITY,
}

/** Helm before 3.19, which requires 3.3.0 and not 3.3.1 (that one refuses leading zeros). */
export const masterminds33: Masterminds = {
  ...masterminds34,
  prereleasesBy: 'comparator',
  emptyIdentifiers: true,
}
