import { expect, test } from 'vitest'
import { htpasswdLine, isTooLong } from '../../../src/registry/access/bcrypt.ts'
import { parseHtpasswd } from '../../../src/registry/access/htpasswd.ts'

const salted = 'A'.repeat(53)
const hash = `$2y$05$${salted}`

const problemOf = (text: string) => parseHtpasswd(text).problems

test('reads a line a user, and passes over empty lines and comments', () => {
  const { users, problems } = parseHtpasswd(`# people\n\nalice:${hash}\r\nbob:$2b$12$${salted}\n`)
  expect([...users.hashes]).toEqual([
    ['alice', hash],
    ['bob', `$2b$12$${salted}`],
  ])
  expect([users.cost, problems]).toEqual([12, []])
})

test.each([
  ['SHA-1', 'alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
  ['apr1', 'alice:$apr1$BbBbBbBb$NzXZd2qL/ybOWZsuUJFjz1'],
  ['crypt', 'alice:rl.3StKT.4T8M'],
  ['plain text', 'alice:secret'],
  ['a bcrypt with a known fault', `alice:$2x$05$${salted}`],
  ['a bcrypt cut short', `alice:${hash.slice(0, -1)}`],
])('%s is not taken for a password', (_, line) => {
  expect(problemOf(line)).toEqual([{ line: 1, reason: expect.stringContaining('no bcrypt hash') }])
})

test.each([
  [`alice:$2y$15$${salted}`, 'the bcrypt cost is 15: it must be 4 to 14'],
  [`alice:$2y$03$${salted}`, 'the bcrypt cost is 3: it must be 4 to 14'],
  ['alice', 'must be USER:HASH'],
  [`anonymous:${hash}`, 'the name anonymous is taken: rules use it for more than one user'],
  [`*:${hash}`, 'the name * is taken: rules use it for more than one user'],
  [`:${hash}`, 'the user name must have 1 to 256 characters, no colon and no control characters'],
])('%j is refused', (line, reason) => {
  expect(problemOf(line)).toEqual([{ line: 1, reason }])
})

test('of a user that stands twice the first line counts', () => {
  const { users, problems } = parseHtpasswd(`alice:${hash}\nalice:$2y$06$${salted}`)
  expect(users.hashes.get('alice')).toBe(hash)
  expect(problems).toEqual([{ line: 2, reason: 'the user stands here for the second time' }])
})

test('no problem quotes what stands on its line', () => {
  const [problem] = problemOf('geheim:hunter2')
  expect(JSON.stringify(problem)).not.toMatch(/geheim|hunter2/)
})

test('a line that is made here can be read here, and no two are alike', () => {
  const [one, other] = [htpasswdLine('alice', 'secret'), htpasswdLine('alice', 'secret')]
  expect(one).not.toBe(other)
  expect(parseHtpasswd(one)).toMatchObject({ problems: [], users: { cost: 10 } })
})

test('72 bytes are the most that bcrypt tells apart', () => {
  expect([isTooLong('a'.repeat(72)), isTooLong('a'.repeat(73)), isTooLong('ä'.repeat(37))]).toEqual([false, true, true])
})
