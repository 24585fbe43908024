/** `access`: who may do what, checked; the users themselves are read from their file by whoever asks them. */
import { statSync } from 'node:fs'
import type { Pattern } from '../oci/pattern.ts'
import type { ReadOriginPattern } from './origin-patterns.ts'
import { attempt, type KeyPath, type Place, problemLine, type Report } from './problem.ts'
import type { AccessSettings } from './access-schema.ts'
import { exposureOf, type SecretPlaces } from './secret.ts'

export interface AccessConfig {
  /** Absolute; it was there, and nobody else's, when the configuration was read. */
  htpasswd: string
  rules: readonly AccessRuleConfig[]
  /** Whom the rules name, with the place where they do so first. */
  named: ReadonlyMap<string, Place>
}

export interface AccessRuleConfig {
  users: readonly string[]
  repositories: readonly Pattern[]
  actions: readonly ('pull' | 'push' | 'delete')[]
}

interface AccessContext extends SecretPlaces {
  readPattern: ReadOriginPattern
  locate: (path: KeyPath) => Place | undefined
  report: Report
}

export function readAccess(settings: AccessSettings, context: AccessContext): AccessConfig {
  const { path, env, readPattern, report } = context
  const htpasswd = path(settings.htpasswd)
  attempt(() => checkFile(htpasswd, env), ['access', 'htpasswd'], report)
  const rules = settings.rules.map((rule, index) => ({
    ...rule,
    repositories: rule.repositories.flatMap(
      (text, place) => readPattern(text, ['access', 'rules', index, 'repositories', place], report) ?? [],
    ),
  }))
  return { htpasswd, rules, named: namedIn(settings, context) }
}

function namedIn({ rules }: AccessSettings, { locate }: AccessContext): Map<string, Place> {
  const named = new Map<string, Place>()
  for (const [index, { users }] of rules.entries()) {
    for (const [place, user] of users.entries()) {
      const path = ['access', 'rules', index, 'users', place]
      if (!named.has(user)) named.set(user, problemLine(locate(path), { path, reason: '' }))
    }
  }
  return named
}

function checkFile(path: string, env: NodeJS.ProcessEnv): void {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`names ${path}, which is no file`)
  const exposure = exposureOf(path, stats, env)
  if (exposure) throw new Error(exposure)
}
