/** Who may do what: pure rules, no I/O (docs/architecture.md, "Who is let near"). */
import { matches, type Pattern } from '../oci/pattern.ts'

export type Action = 'pull' | 'push' | 'delete'

/** Who asks without credentials; also everybody, where there is no `access`. */
export const anonymous = 'anonymous'
/** In a rule: every user of the htpasswd file, so not `anonymous`. */
export const everyUser = '*'

export interface AccessRule {
  users: readonly string[]
  /** Over `<upstream host>/<name>` and `hosted/<name>`. */
  repositories: readonly Pattern[]
  actions: readonly Action[]
}

/**
 * @param repository its key, `<upstream host>/<name>` or `hosted/<name>`: what `origins` gives, one for all spellings
 * @returns whether a rule allows it; what none allows is denied
 */
export type Authorize = (user: string, repository: string, action: Action) => boolean

export function createAuthorize(rules: readonly AccessRule[]): Authorize {
  return (user, repository, action) =>
    rules.some(
      (rule) =>
        rule.actions.includes(action) &&
        rule.users.some((name) => name === user || (name === everyUser && user !== anonymous)) &&
        rule.repositories.some((pattern) => matches(pattern, repository)),
    )
}
