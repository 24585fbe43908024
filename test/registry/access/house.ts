/** A registry with client access behind a real server: repositories at hand, users in a file, hashes that cost little. */
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import { onTestFinished } from 'vitest'
import { OciError } from '../../../src/oci/errors.ts'
import { parseOriginPattern, type Pattern } from '../../../src/oci/pattern.ts'
import { type AccessOptions, openAccess } from '../../../src/registry/access/open.ts'
import type { AccessRule, Action } from '../../../src/registry/access.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import { serve } from '../serve.ts'

export interface RuleText {
  users: string[]
  repositories: string[]
  actions: Action[]
}

export interface HouseOptions extends Partial<
  Pick<AccessOptions, 'checkEvery' | 'delay' | 'rememberFor' | 'warnEvery'>
> {
  /** By the path that means them. */
  repositories: Record<string, Repository>
  /** Passwords by user. */
  users?: Record<string, string>
  rules: RuleText[]
}

export interface AccessHouse {
  port: number
  /** Messages and fields of what access warned of. */
  warned: [string, Record<string, unknown>][]
  failures: () => number
  setUsers: (users: Record<string, string>) => void
  ask: (method: string, target: string, headers?: Record<string, string>, body?: string) => Promise<Reply>
}

export interface Reply {
  status: number
  headers: Record<string, string>
  body: string
}

export function basic(user: string, password: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

/** The cheapest that bcrypt has. */
const hashes = new Map<string, string>()
export function cheapHash(password: string): string {
  const hash = hashes.get(password) ?? hashSync(password, 4)
  hashes.set(password, hash)
  return hash
}

export async function temporaryFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-access-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'htpasswd')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function ruleOf({ users, repositories, actions }: RuleText): AccessRule {
  return { users, actions, repositories: repositories.map(patternOf) }
}

function patternOf(text: string): Pattern {
  const pattern = parseOriginPattern(text)
  if (!pattern) throw new TypeError(`${text} is no pattern`)
  return pattern
}

function linesOf(users: Record<string, string>): string {
  return Object.entries(users)
    .map(([user, password]) => `${user}:${cheapHash(password)}\n`)
    .join('')
}

export async function openAccessHouse(options: HouseOptions): Promise<AccessHouse> {
  const { repositories, users = {}, rules, ...times } = options
  const htpasswd = await temporaryFile(linesOf(users))
  const warned: AccessHouse['warned'] = []
  const access = await openAccess({
    checkEvery: 0,
    delay: 1,
    ...times,
    htpasswd,
    rules: rules.map(ruleOf),
    warn: (message, fields) => warned.push([message, fields]),
  })
  onTestFinished(() => access.close())
  const { port } = await serve(
    {},
    {
      gate: access.gate,
      resolve(path) {
        const repository = repositories[path]
        if (!repository) throw new OciError('NAME_UNKNOWN', `${path} names no upstream.`)
        return { repository, rules: { mode: 'on', profile: 'image' } }
      },
    },
  )
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  onTestFinished(() => agent.destroy())
  return {
    port,
    warned,
    failures: () => access.failures(),
    setUsers: (next) => writeFileSync(htpasswd, linesOf(next)),
    ask: (method, target, headers = {}, body = '') => ask({ agent, port, method, path: target, headers }, body),
  }
}

export interface Asked {
  agent: Agent
  port: number
  method: string
  path: string
  headers: Record<string, string>
}

export function ask(options: Asked, body: string) {
  return new Promise<Reply>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        )
        resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString() })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
