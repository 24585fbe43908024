import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CredentialHelperOptions, createCredentialHelpers } from '../../../src/upstream/credential-helper.ts'
import { createHelperPrograms, type HelperPrograms } from './helper-programs.ts'

let programs: HelperPrograms
let clock = 0
beforeEach(async () => {
  clock = 0
  programs = await createHelperPrograms()
})
afterEach(() => programs.remove())

const octocat = `echo '{"ServerURL":"x","Username":"octocat","Secret":"pa55word"}'`

function helpersWith(more: Partial<CredentialHelperOptions> = {}) {
  return createCredentialHelpers({ env: programs.env, now: () => clock, ...more })
}

test('a helper is asked for one server on its stdin', async () => {
  await programs.write('mine', octocat)
  const found = await helpersWith().get('mine', 'ghcr.io')
  expect(found).toMatchObject({ identity: 'helper-mine:octocat', username: 'octocat' })
  expect(found?.password?.reveal()).toBe('pa55word')
  expect(await programs.asked()).toEqual(['mine get ghcr.io'])
})

test('the user name `<token>` means an identity token', async () => {
  await programs.write('acr', `echo '{"Username":"<token>","Secret":"refresh"}'`)
  const found = await helpersWith().get('acr', 'x.azurecr.io')
  expect(found).toMatchObject({ identity: 'helper-acr:<token>', username: '' })
  expect(found?.identityToken?.reveal()).toBe('refresh')
  expect(found?.password).toBeUndefined()
})

test.each([
  ['the message of the protocol', 'echo "credentials not found in native keychain"; exit 1'],
  ['an empty answer', `echo '{"Username":"","Secret":""}'`],
])('%s means that it holds nothing', async (_what, script) => {
  await programs.write('mine', script)
  expect(await helpersWith().get('mine', 'ghcr.io')).toBeUndefined()
})

test.each([
  ['fails', 'echo "locked, pa55word"; exit 1', /failed \(exit code 1\)/],
  [
    'fails with the right words on stderr only',
    'echo "credentials not found in native keychain" >&2; exit 1',
    /failed/,
  ],
  ['is killed', 'kill -9 $$', /failed \(exit code none\)/],
  ['answers no JSON', 'echo pa55word', /no credential/],
  ['answers nothing', '', /no credential/],
  ['answers an array', 'echo "[]"', /no credential/],
  [
    'puts a line break into the user name',
    String.raw`printf '{"Username":"a\\nb","Secret":"pa55word"}'`,
    /no credential/,
  ],
  ['answers without end', 'yes pa55word', /more than 65536 bytes/],
])('a helper that %s is a failure that tells nothing', async (_what, script, message) => {
  await programs.write('mine', script)
  const error = await helpersWith()
    .get('mine', 'ghcr.io')
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(Error)
  expect(String(error)).toMatch(message)
  expect(String(error)).not.toContain('pa55word')
})

test('a helper that is not there is a failure', async () => {
  await expect(helpersWith().get('missing', 'ghcr.io')).rejects.toThrow(
    'docker-credential-missing cannot be run (not found',
  )
})

test('a helper that hangs is killed with what it started', async () => {
  const pipe = join(programs.directory, 'pid')
  await programs.write('mine', `sleep 600 & echo $! > '${pipe}'; wait`)
  const asked = helpersWith({ within: 300 }).get('mine', 'ghcr.io')
  await expect(asked).rejects.toThrow('did not answer within 0.3 s')
  await expect.poll(() => stateOf(pipe)).toMatch(/gone|Z/)
})

async function stateOf(pidFile: string): Promise<string> {
  const pid = (await readFile(pidFile, 'utf8')).trim()
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')
  return status.replace(/^.*\) (\S).*$/s, '$1')
}

test('an answer is kept for a while, and shared by those who ask at once', async () => {
  await programs.write('mine', octocat)
  const helpers = helpersWith()
  await Promise.all(Array.from({ length: 10 }, () => helpers.get('mine', 'ghcr.io')))
  clock = 299_999
  await helpers.get('mine', 'ghcr.io')
  expect(await programs.asked()).toHaveLength(1)
  clock = 300_000
  await helpers.get('mine', 'ghcr.io')
  expect(await programs.asked()).toHaveLength(2)
})

test('a refused answer is asked for anew, but not in a storm', async () => {
  await programs.write('mine', octocat)
  const helpers = helpersWith()
  const first = await helpers.get('mine', 'ghcr.io')
  clock = 9_999
  first?.refused?.()
  await helpers.get('mine', 'ghcr.io')
  expect(await programs.asked()).toHaveLength(1)
  clock = 10_000
  first?.refused?.()
  await programs.write('mine', `echo '{"Username":"octocat","Secret":"rotated"}'`)
  const second = await helpers.get('mine', 'ghcr.io')
  expect(second?.password?.reveal()).toBe('rotated')
  first?.refused?.()
  await helpers.get('mine', 'ghcr.io')
  expect(await programs.asked()).toHaveLength(2)
})

test('a failure is kept for ten seconds', async () => {
  await programs.write('mine', 'exit 3')
  const helpers = helpersWith()
  await expect(helpers.get('mine', 'ghcr.io')).rejects.toThrow('exit code 3')
  await expect(helpers.get('mine', 'ghcr.io')).rejects.toThrow('exit code 3')
  expect(await programs.asked()).toHaveLength(1)
  clock = 10_000
  await programs.write('mine', octocat)
  expect((await helpers.get('mine', 'ghcr.io'))?.username).toBe('octocat')
})

test('a helper that exits without reading is judged by what it says', async () => {
  await programs.write('mine', '')
  await writeFile(join(programs.directory, 'docker-credential-mine'), `#!/bin/sh\nexec 0<&-\n${octocat}\n`)
  expect((await helpersWith().get('mine', 'ghcr.io'))?.username).toBe('octocat')
})

test.each(['', '../evil', 'a/b', 'a b', 'a;touch x', '$(touch x)', '-x', 'a\nb', 'a\0b', 'x'.repeat(65)])(
  'the suffix %j runs nothing',
  async (suffix) => {
    await expect(helpersWith().get(suffix, 'ghcr.io')).rejects.toThrow('characters that it may not have')
  },
)

test('only host names reach a helper, and Docker Hub by the name it is filed under', async () => {
  await programs.write('mine', octocat)
  const helpers = helpersWith()
  const good = [
    'ghcr.io',
    'reg.example:5000',
    'localhost:5000',
    '127.0.0.1:5000',
    '[::1]:5000',
    'https://index.docker.io/v1/',
  ]
  for (const server of good) {
    await helpers.get('mine', server)
  }
  expect(await programs.asked()).toEqual(good.map((server) => `mine get ${server}`))
})

test('no hostile server reaches a helper', async () => {
  await programs.write('mine', octocat)
  const helpers = helpersWith()
  const fixed = [
    '',
    'a\nb',
    'ghcr.io\n',
    'ghcr.io\r\nerase',
    'a b',
    'https://ghcr.io',
    'ghcr.io/x',
    'u@ghcr.io',
    '-x',
    'a..\0',
  ]
  const hostile = fc
    .string({ unit: 'binary', maxLength: 40 })
    .filter((text) => /[^a-z0-9.:[\]-]/.test(text) || text.length > 300)
  const probe = async (server: string) => {
    await expect(helpers.get('mine', server)).rejects.toThrow('no host name')
  }
  await Promise.all(fixed.map(probe))
  await fc.assert(fc.asyncProperty(hostile, probe), { numRuns: 500 })
  expect(await programs.asked()).toEqual([])
})

test('the shell does not see the name of a program', async () => {
  const helpers = helpersWith()
  const trap = join(programs.directory, 'trap')
  await expect(helpers.get(`x;touch ${trap}`, 'ghcr.io')).rejects.toThrow('characters that it may not have')
  await expect(access(trap)).rejects.toThrow('ENOENT')
})
