import { homedir } from 'node:os'

/** A user without an entry in the list of users, as containers have them, has no home folder. */
export function homeFolder(): string | undefined {
  try {
    return homedir()
  } catch {
    return undefined
  }
}
