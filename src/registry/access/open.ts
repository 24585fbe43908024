/** All of client access, from its configuration: the users' file, the thread that compares passwords, the rules. */
import type { AccessRule } from '../access.ts'
import { createComparer } from './bcrypt.ts'
import { createGate, type Gate } from './gate.ts'
import { createSignIn, type SignInOptions } from './sign-in.ts'
import { openUsersFile, type UsersFileOptions } from './users.ts'

export interface AccessOptions
  extends Pick<UsersFileOptions, 'checkEvery' | 'exposure'>, Omit<SignInOptions, 'users' | 'comparer' | 'warn'> {
  /** Path of the users' file. */
  htpasswd: string
  rules: readonly AccessRule[]
  warn: (message: string, fields: Record<string, unknown>) => void
}

export interface Access {
  gate: Gate
  /** Wrong credentials since the start. */
  failures(): number
  /** The names in the users' file. */
  users(): ReadonlySet<string>
  close(): Promise<void>
}

/** @throws HtpasswdError */
export async function openAccess(options: AccessOptions): Promise<Access> {
  const users = await openUsersFile({ ...options, path: options.htpasswd })
  const comparer = createComparer()
  const signIn = createSignIn({ ...options, users, comparer })
  return {
    gate: createGate(options.rules, signIn),
    failures: () => signIn.failures(),
    users: () => users.names(),
    async close() {
      signIn.close()
      await comparer.close()
    },
  }
}
