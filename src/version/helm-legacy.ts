import type { Dialect } from './dialect.ts'
import { asWritten, helm } from './helm.ts'
import { masterminds33 } from './masterminds.ts'
import { isVersion, readVersion, type Grammar, type SemanticVersion } from './semantic-version.ts'

const current = helm(masterminds33)
/** Reads nearly all tags, and faster than to look for the identifiers that are not there. */
const plain = helm({ ...masterminds33, emptyIdentifiers: false })

const lenient: Grammar = { maxLength: Number.POSITIVE_INFINITY, lenient: true, emptyIdentifiers: false }

/**
 * Helm before 3.19. Its Masterminds lists tags with empty identifiers too. `1.2.3-a..b` then matches no range, but can be asked for by its name;
 * and `1.2.3-` and `1.2.3_` are listed as 1.2.3, so that this is the tag that Helm asks for.
 */
export const helmLegacyDialect: Dialect<SemanticVersion> = {
  ...current,
  read: (tag) => plain.read(tag) ?? readNamed(tag),
  whyUnread: (tag) => current.whyUnread?.(tag) || 'its prerelease or build has an empty part',
  settle(range, tags) {
    const settled = current.settle?.(range, tags)
    if (settled) return settled
    const isName = current.read(range) !== undefined && tags.some((tag) => nameOf(tag) === range && current.read(tag))
    return isName ? asWritten(range, tags) : undefined
  },
  asks: (tag) => nameOf(tag).replaceAll('+', '_'),
}

/** A tag that is listed is read once more, leniently, by the name that it is listed under. */
function readNamed(tag: string): SemanticVersion | undefined {
  if (current.read(tag) === undefined) return undefined
  const version = readVersion(nameOf(tag), lenient)
  return isVersion(version) ? version : undefined
}

/** What Helm calls the version of a tag (`Version.String`): without a prerelease or build that is empty. */
function nameOf(tag: string): string {
  const [core = '', ...builds] = tag.replaceAll('_', '+').split('+')
  const build = builds.join('+')
  const name = core.indexOf('-') === core.length - 1 ? core.slice(0, -1) : core
  return build === '' ? name : `${name}+${build}`
}
