import { expect, test } from 'vitest'
import { credentialsOf } from '../../../src/registry/access/basic.ts'

const read = (...lines: string[]) => credentialsOf({ header: (name) => (name === 'authorization' ? lines : []) })
const encode = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString('base64')}`

test('the password begins after the first colon and may have colons of its own', () => {
  expect(read(encode('alice:a:b'))).toEqual({ user: 'alice', password: 'a:b' })
})

test('the scheme is read in any case', () => {
  expect(read(encode('a:b').replace('Basic', 'bAsIc'))).toEqual({ user: 'a', password: 'b' })
})

test('names and passwords are UTF-8', () => {
  expect(read(encode('jürgen:пароль'))).toEqual({ user: 'jürgen', password: 'пароль' })
})

test.each([['no header'], ['Basic Og==']])('%s is no credentials', (line) => {
  expect(line === 'no header' ? read() : read(line)).toBe('none')
})

test('an empty password is one where there is a user', () => {
  expect(read(encode('alice:'))).toEqual({ user: 'alice', password: '' })
  expect(read(encode(':x'))).toEqual({ user: '', password: 'x' })
})

test.each([
  ['another scheme', ['Bearer abc']],
  ['no colon', [encode('alice')]],
  ['no base64', ['Basic alice:secret']],
  ['nothing', ['Basic ']],
  ['an empty line', ['']],
  ['bytes that are no UTF-8', [encode(Uint8Array.of(0x61, 0x3a, 0xff))]],
  ['a control character', [encode('alice:right\u0000left')]],
  ['two headers', [encode('a:b'), encode('c:d')]],
  ['more than 4 KiB', [encode(`a:${'b'.repeat(4096)}`)]],
])('%s cannot be right', (_, lines) => {
  expect(read(...lines)).toBe('unreadable')
})
