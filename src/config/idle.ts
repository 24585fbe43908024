/** What a configuration says to no effect: the start goes on, and its log says so. Pure; where it is in doubt it says nothing. */
import { overlap, type Pattern } from '../oci/pattern.ts'
import type { AccessConfig, AccessRuleConfig } from './access.ts'
import { dockerHub } from './presets.ts'
import type { KeyPath, Problem } from './problem.ts'
import type { TagPattern } from './values.ts'

export interface Settled {
  hosted: readonly Pattern[]
  immutableTags: readonly TagPattern[]
  access?: Pick<AccessConfig, 'rules'>
}

/** Rules and patterns that can never matter. */
export function idleSettings({ hosted, immutableTags, access }: Settled): Problem[] {
  const outside = immutableTags.flatMap(({ names }, index) =>
    isHostedName(names, hosted) ? [] : [{ path: ['immutableTags', index], reason: notHosted(names) }],
  )
  if (!access) return outside
  if (access.rules.length === 0) {
    return [
      ...outside,
      { path: ['access', 'rules'], reason: 'has no rule, and what no rule allows is denied: to everybody' },
    ]
  }
  return [...outside, ...access.rules.flatMap((rule, index) => idleIn(rule, index, { hosted, rules: access.rules }))]
}

/**
 * Whom rules name in vain.
 * @param names of the users' file
 */
export function idleUsers({ htpasswd, rules, named }: AccessConfig, names: ReadonlySet<string>): string[] {
  const isForUsers = rules.some(({ users }) => users.some((user) => user !== anonymous))
  if (names.size === 0) {
    return isForUsers
      ? [`${htpasswd} holds no user, so that nobody can sign in: entrepot passwd NAME >> ${htpasswd}`]
      : []
  }
  return [...named]
    .filter(([user]) => !names.has(user) && user !== anonymous && user !== everyUser)
    .map(
      ([user, place]) =>
        `${place}: ${htpasswd} has no user ${user}: correct the name, or add the user with entrepot passwd`,
    )
}

const anonymous = 'anonymous'
const everyUser = '*'

interface Beside {
  hosted: readonly Pattern[]
  rules: readonly AccessRuleConfig[]
}

function idleIn(rule: AccessRuleConfig, index: number, beside: Beside): Problem[] {
  const at = (...rest: KeyPath) => ['access', 'rules', index, ...rest]
  const changes = rule.actions.filter((action) => action !== 'pull').join(' and ')
  const found = rule.repositories.map((pattern) => whyNoName(pattern, beside.hosted))
  const places = found.flatMap((reason, place) =>
    reason === undefined ? [] : [{ path: at('repositories', place), reason }],
  )
  if (changes === '') return places
  const takingPushes = rule.repositories.filter(
    (pattern, place) => found[place] === undefined && mayTakePushes(pattern),
  )
  if (!rule.repositories.some(mayTakePushes)) {
    const reason = `allows ${changes} where no client can: names of upstreams take neither pushes nor deletes, only hosted/... does`
    return [...places, { path: at('actions'), reason }]
  }
  const blind = takingPushes.flatMap((pattern) => {
    const users = rule.users.filter((user) => !mayPull(user, pattern, beside.rules))
    return users.length === 0 ? [] : [`to ${users.join(', ')} on ${pattern}`]
  })
  if (blind.length === 0) return places
  const reason = `allows ${changes} ${blind.join(', ')} without pull there, so that it ends in 404: add pull`
  return [...places, { path: at('actions'), reason }]
}

/** Why no repository can have such a name. */
function whyNoName(pattern: Pattern, hosted: readonly Pattern[]): string | undefined {
  const { first, rest } = splitFirst(pattern)
  if (first === 'hosted') return isHostedName(rest, hosted) ? undefined : notHosted(rest)
  if (first !== dockerHub || rest.includes('/') || rest === '**') return undefined
  return `no repository of Docker Hub is called ${pattern}: its official images are ${dockerHub}/library/${rest}`
}

function isHostedName(names: string, hosted: readonly Pattern[]): boolean {
  return hosted.some((pattern) => overlap(names, pattern))
}

function notHosted(names: string): string {
  return `no pattern of "hosted" covers a name like ${names}: add one there, or correct this one`
}

function mayTakePushes(pattern: Pattern): boolean {
  return ['hosted', '*', '**'].includes(splitFirst(pattern).first)
}

/** Whether some rule lets the user pull something that the pattern covers; `*`: some user. */
function mayPull(user: string, pattern: Pattern, rules: readonly AccessRuleConfig[]): boolean {
  const isUser = (name: string) =>
    name === user || (user !== anonymous && name === everyUser) || (user === everyUser && name !== anonymous)
  return rules.some(
    ({ users, repositories, actions }) =>
      actions.includes('pull') && users.some(isUser) && repositories.some((other) => overlap(pattern, other)),
  )
}

function splitFirst(pattern: Pattern): { first: string; rest: string } {
  const [first = '', ...rest] = pattern.split('/')
  return { first, rest: rest.join('/') }
}
