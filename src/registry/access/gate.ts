/** Who asks, and what is answered to whoever may not do what was asked for (docs/architecture.md, "Who is let near"). */
import { OciError } from '../../oci/errors.ts'
import { type AccessRule, type Action, anonymous, createAuthorize } from '../access.ts'
import type { Client } from '../client.ts'
import type { Head } from '../guard.ts'
import { credentialsOf } from './basic.ts'
import type { SignIn } from './sign-in.ts'

/** Whoever sent a request; its name is `anonymous` where nobody signed in. */
export interface Visitor extends Client {
  /** Whether credentials would change the answer: clients send them only after a 401. */
  isStranger: boolean
  /** Whether `/v2/` is open. */
  mayEnter: boolean
  /** @param repository its key */
  may(repository: string, action: Action): boolean
}

export interface Gate {
  /** @throws OciError UNAUTHORIZED 401 for wrong credentials, TOOMANYREQUESTS 429 */
  visitor(head: Head): Promise<Visitor>
}

/** Without `access`: credentials are ignored, everybody may do everything. */
export const openGate: Gate = {
  visitor: async () => ({
    name: anonymous,
    isStranger: false,
    mayEnter: true,
    may: () => true,
    mayPull: () => true,
    hasRules: false,
  }),
}

export function createGate(rules: readonly AccessRule[], signIn: Pick<SignIn, 'isRight'>): Gate {
  const authorize = createAuthorize(rules)
  const isOpen = rules.some(
    ({ users, repositories, actions }) =>
      users.includes(anonymous) && actions.includes('pull') && repositories.some((pattern) => pattern === '**'),
  )

  function visitorNamed(name: string): Visitor {
    const isStranger = name === anonymous
    const may = (repository: string, action: Action) => authorize(name, repository, action)
    const mayPull = (repository: string) => may(repository, 'pull')
    return { name, isStranger, mayEnter: !isStranger || isOpen, may, mayPull, hasRules: true }
  }

  return {
    async visitor(head) {
      const sent = credentialsOf(head)
      if (sent === 'none') return visitorNamed(anonymous)
      if (sent !== 'unreadable' && (await signIn.isRight(sent, sourceOf(head.address)))) return visitorNamed(sent.user)
      throw new OciError('UNAUTHORIZED', 'The user name or the password is wrong.')
    },
  }
}

/** @throws OciError UNAUTHORIZED 401 where `/v2/` is closed */
export function enter(visitor: Visitor): void {
  if (!visitor.mayEnter) throw signInFirst()
}

/** What cannot be there is none of a stranger's business either. */
export function refusalOf(visitor: Visitor, error: unknown): unknown {
  return visitor.mayEnter ? error : signInFirst()
}

/**
 * @param repository its key
 * @returns `absent` where a repository does not exist for a visitor who may not pull from it
 * @throws OciError UNAUTHORIZED 401 to strangers, whether or not anything is there; DENIED 403
 */
export function admit(visitor: Visitor, repository: string, action: Action): 'admitted' | 'absent' {
  const maySee = visitor.mayPull(repository)
  if (maySee && visitor.may(repository, action)) return 'admitted'
  if (visitor.isStranger) throw signInFirst()
  if (!maySee) return 'absent'
  throw new OciError('DENIED', `${visitor.name} may not ${action} here: no rule of this registry allows it.`)
}

function signInFirst(): OciError {
  return new OciError('UNAUTHORIZED', 'This needs credentials: sign in to this registry first.')
}

/** Whom something is counted for that has no name: an IPv6 client has all addresses of its /64. */
export function sourceOf(address = ''): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address
  const [before = '', after] = address.split('%')[0]?.split('::') ?? []
  const [head, tail] = [before.split(':'), after === undefined || after === '' ? [] : after.split(':')]
  const zeros = after === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`
}
