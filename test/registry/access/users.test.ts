import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HtpasswdError, openUsersFile, type UsersFileOptions } from '../../../src/registry/access/users.ts'
import { cheapHash, temporaryFile } from './house.ts'

const hash = cheapHash('secret')

async function openUsers(text: string, more: Partial<UsersFileOptions> = {}) {
  const path = await temporaryFile(text)
  const warned: unknown[] = []
  const warn = (message: string, { why }: Record<string, unknown>) => warned.push(`${message}: ${String(why)}`)
  return { path, warned, users: await openUsersFile({ path, checkEvery: 0, warn, ...more }) }
}

test('whoever is added to the file is known from then on, and whoever is taken out is not', async () => {
  const { path, users } = await openUsers(`alice:${hash}\n`)
  writeFileSync(path, `bob:${hash}\n`)
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: false })
  expect(await users.hashFor('bob')).toEqual({ isKnown: true, hash, cost: 4 })
})

test('a file that was put in its place is seen, though its size and time are the same', async () => {
  const { path, users } = await openUsers(`alice:${hash}\n`)
  const time = new Date()
  utimesSync(path, time, time)
  await users.hashFor('alice')
  writeFileSync(`${path}.new`, `aliee:${hash}\n`, { mode: 0o600 })
  utimesSync(`${path}.new`, time, time)
  renameSync(`${path}.new`, path)
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: false })
})

test('the users stay as they were while the file is away, and the log says so once', async () => {
  const { path, users, warned } = await openUsers(`alice:${hash}\n`)
  rmSync(path)
  expect([await users.hashFor('alice'), await users.hashFor('alice')]).toMatchObject([
    { isKnown: true },
    { isKnown: true },
  ])
  expect(warned).toEqual([`the users stay as they were: ${path}: cannot be read (ENOENT)`])
  writeFileSync(path, `bob:${hash}\n`, { mode: 0o600 })
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: false })
  expect(await users.hashFor('bob')).toMatchObject({ isKnown: true })
})

test('so they do where what took its place cannot be a file of users', async () => {
  const { path, users, warned } = await openUsers(`alice:${hash}\n`)
  writeFileSync(path, `alice:${hash}\n`.repeat(20_000))
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: true })
  rmSync(path)
  mkdirSync(path)
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: true })
  expect(warned).toEqual(
    ['is larger than 1 MiB', 'is no file'].map((reason) => `the users stay as they were: ${path}: ${reason}`),
  )
})

test('a file that can be read counts, also where it has no user any more', async () => {
  const { path, users } = await openUsers(`alice:${hash}\nbob:${hash}\n`)
  writeFileSync(path, 'alice:!\n')
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: false })
  writeFileSync(path, `alice:${hash}\n`)
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: true })
  writeFileSync(path, '')
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: false })
})

test('a later line that cannot be used is left out, with its number; the others stay', async () => {
  const { path, users, warned } = await openUsers(`alice:${hash}\n`)
  writeFileSync(path, `alice:${hash}\nbob:plain\n`)
  expect(await users.hashFor('bob')).toMatchObject({ isKnown: false })
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: true })
  expect(warned).toEqual([
    `a user is left out: ${path}:2: the password is no bcrypt hash: make the line with entrepot passwd, or htpasswd -B`,
  ])
})

test('of a file that becomes one for others to read the log says so once, and its users count', async () => {
  const exposure = ({ mode }: { mode: number }) => ((mode & 0o077) === 0 ? undefined : 'others can read it')
  const { path, users, warned } = await openUsers(`alice:${hash}\n`, { exposure })
  const replace = async (text: string, mode: number) => {
    writeFileSync(`${path}.new`, text, { mode })
    chmodSync(`${path}.new`, mode)
    renameSync(`${path}.new`, path)
    return users.hashFor('bob')
  }
  expect(await replace(`bob:${hash}\n`, 0o644)).toMatchObject({ isKnown: true })
  expect(await replace(`alice:${hash}\n`, 0o644)).toMatchObject({ isKnown: false })
  expect(warned).toEqual(['the next start refuses the file of users: others can read it'])
  expect(await replace(`bob:${hash}\n`, 0o600)).toMatchObject({ isKnown: true })
  expect(warned).toHaveLength(1)
  await replace(`bob:${hash}\n`, 0o640)
  expect(warned).toHaveLength(2)
  expect([...users.names()]).toEqual(['bob'])
})

test('a start with a line that cannot be used stops with all of them', async () => {
  const path = await temporaryFile('alice:plain\n\nbob\n')
  const opened = openUsersFile({ path, warn: () => {} })
  await expect(opened).rejects.toBeInstanceOf(HtpasswdError)
  await expect(opened).rejects.toMatchObject({
    sentences: [expect.stringContaining(`${path}:1: `), `${path}:3: must be USER:HASH`],
  })
})

test('a start without the file stops', async () => {
  await expect(openUsersFile({ path: '/nonexistent/htpasswd', warn: () => {} })).rejects.toMatchObject({
    sentences: ['/nonexistent/htpasswd: cannot be read (ENOENT)'],
  })
})

test('what is spent on an unknown user costs as much as on the dearest known one', async () => {
  const { users } = await openUsers(`alice:${hash}\nbob:$2y$11$${'A'.repeat(53)}\n`)
  expect((await users.hashFor('who')).hash).toMatch(/^\$2b\$11\$[./A-Za-z0-9]{53}$/)
})

test('a file that is changed in its mode alone is read again without harm', async () => {
  const { path, users } = await openUsers(`alice:${hash}\n`)
  chmodSync(path, 0o400)
  expect(await users.hashFor('alice')).toMatchObject({ isKnown: true })
})
