/** Tags that never move: patterns over hosted names, with a text for the tag. */
import type { RepositoryName, Tag } from '../oci/name.ts'
import { matches, type Pattern } from '../oci/pattern.ts'

export interface ImmutableTags {
  names: Pattern
  /** `*` stands for any characters; absent: every tag. */
  tags?: string
}

export type Immutable = (name: RepositoryName, tag: Tag) => boolean

/** What clients hang onto a digest by a tag (referrers, signatures, attestations): a list that grows. */
const hungOn = /^sha(?:256|512)-[0-9a-f]{64}(?:\.[a-z]+)?$/

export function createImmutable(rules: readonly ImmutableTags[]): Immutable {
  const compiled = rules.map(({ names, tags }) => ({ names, tags: tags === undefined ? /^/ : globOf(tags) }))
  return (name, tag) => !hungOn.test(tag) && compiled.some((rule) => rule.tags.test(tag) && matches(rule.names, name))
}

function globOf(text: string): RegExp {
  return new RegExp(
    `^${text
      .split(/\*+/)
      .map((part) => RegExp.escape(part))
      .join('.*')}$`,
  )
}
