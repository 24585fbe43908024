/** `entrepot passwd`: a line for the file of the users. The password comes from the terminal or stdin, never from the arguments, which others can see. */
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { htpasswdLine, isTooLong } from '../registry/access/bcrypt.ts'
import { whyNoUser } from '../registry/access/htpasswd.ts'
import { CommandError, exitCodes } from './exit-code.ts'
import { readSecretLine } from './secret-line.ts'

/** @throws CommandError */
export async function passwd(user: string): Promise<void> {
  const wrongUser = whyNoUser(user)
  if (wrongUser !== undefined) throw refusal(`${wrongUser}.`)
  const password = process.stdin.isTTY
    ? await askTwice(process.stdin)
    : await readSecretLine(process.stdin, () => refusal(tooLong))
  const wrong = whyNoPassword(password)
  if (wrong !== undefined) throw refusal(wrong)
  process.stdout.write(`${htpasswdLine(user, password)}\n`)
}

const tooLong = 'the password is longer than the 72 bytes that bcrypt reads.'

function whyNoPassword(password: string): string | undefined {
  if (password === '') return 'the password is empty.'
  if (/\p{Cc}/u.test(password)) return 'the password has control characters, which clients cannot send.'
  return isTooLong(password) ? tooLong : undefined
}

/** Nothing of what is typed is shown; questions go to stderr, so that stdout has the line alone, and only once the terminal is silent. */
async function askTwice(terminal: ReadStream): Promise<string> {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: terminal, output: silence, terminal: true, historySize: 0 })
  try {
    const password = await ask(lines, 'Password: ')
    if ((await ask(lines, 'Again: ')) !== password) throw refusal('the two passwords differ.')
    return password
  } finally {
    lines.close()
  }
}

/** Ctrl-C and Ctrl-D close it. */
async function ask(lines: Interface, question: string): Promise<string> {
  const given = once(lines, 'line')
  const closed = once(lines, 'close')
  process.stderr.write(question)
  const [line] = await Promise.race([given, closed])
  process.stderr.write('\n')
  if (line === undefined) throw refusal('no password was given.')
  return String(line)
}

function refusal(sentence: string): CommandError {
  return new CommandError(exitCodes.bad, sentence)
}
