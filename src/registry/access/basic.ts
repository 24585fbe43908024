/** The credentials that a request carries (RFC 7617). */
import type { Head } from '../guard.ts'

export interface Credentials {
  user: string
  password: string
}

/** What a 401 says is wanted. The only scheme: every client has it, and nothing of ours would be worth a token. */
export const challenge = 'Basic realm="Entrepot", charset="UTF-8"'

const longest = 4096

/**
 * `none` where nothing was sent, or an empty user name with an empty password: podman sends `Og==` where it has none. `unreadable` is
 * every other scheme and what is no Basic, control characters among it: credentials that cannot be right.
 */
export function credentialsOf(head: Pick<Head, 'header'>): Credentials | 'none' | 'unreadable' {
  const [line, ...more] = head.header('authorization')
  if (line === undefined) return 'none'
  const encoded = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(line)?.[1]
  if (more.length > 0 || encoded === undefined || line.length > longest) return 'unreadable'
  const text = utf8(Buffer.from(encoded, 'base64'))
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 0 || /\p{Cc}/u.test(text)) return 'unreadable'
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)]
  return user === '' && password === '' ? 'none' : { user, password }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
