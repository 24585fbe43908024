/** How one kind of client reads tags and ranges. What is done with it (pick, rank, explain, nearest) is the same for all. */
export interface Dialect<Version> {
  /** What the tag stands for; `undefined` when this client does not take it for a version. */
  read(tag: string): Version | undefined
  /** Positive where `a` is the higher one. A tie goes to the tag that stands first in the list. */
  compare(a: Version, b: Version): number
  /** @throws InvalidRangeError */
  parse(range: string): Constraint<Version>
  /** Why `read` refuses the tag, as the end of a sentence: `is no version: it has no patch number`. */
  whyUnread?(tag: string): string
  /**
   * What the client decides before it compares versions; `undefined` when it goes on to compare.
   * @throws InvalidRangeError where the client looks at the range first
   */
  settle?(range: string, tags: readonly string[]): Settled | undefined
  /** The tag that the client asks for once it has chosen this one, where that may be another spelling: perhaps one that is not listed. */
  asks?(tag: string): string
}

export interface Constraint<Version> {
  has(version: Version): boolean
  /** Why a version that `has` refuses lost, as the end of a sentence that begins with its tag: `is below 1.2.0`. */
  why(version: Version): string
  /** What the nearest tags are measured by when nothing matches. */
  readonly aim?: Aim<Version>
}

export interface Aim<Version> {
  /** The versions that the range names. */
  readonly at: readonly Version[]
  /** How near a version is in kind, the more the nearer: a release where the range names no prerelease, the same variant. */
  kinship(version: Version): number
}

/** An answer without a comparison: the tag that is taken, if it is listed, and why any other lost. */
export interface Settled {
  readonly tag: string | undefined
  why(tag: string): string
}
