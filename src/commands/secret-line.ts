/** A secret from stdin, which others cannot see as they see arguments. */
import type { Readable } from 'node:stream'

const longestInput = 4096

/** One line break at its end is not part of it. @param tooLong what is thrown for more than 4,096 characters */
export async function readSecretLine(input: Readable, tooLong: () => Error): Promise<string> {
  let text = ''
  for await (const chunk of input.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > longestInput) throw tooLong()
  }
  return text.replace(/\r?\n$/, '')
}
