import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createDockerCredentials, type DockerConfigOptions } from '../../../src/upstream/docker-config.ts'
import { createHelperPrograms, type HelperPrograms } from './helper-programs.ts'
import { name } from './support.ts'

let programs: HelperPrograms
let home = ''
let warnings: string[] = []
beforeEach(async () => {
  programs = await createHelperPrograms()
  home = programs.directory
  warnings = []
})
afterEach(() => programs.remove())

const auth = (pair: string) => Buffer.from(pair).toString('base64')
const entry = (user: string) => ({ auth: auth(`${user}:pw`) })
const file = (user: string) => ({ auths: { 'ghcr.io': entry(user) } })
const answers = (user: string) => `echo '{"Username":"${user}","Secret":"pw"}'`
const nothing = 'echo "credentials not found in native keychain"; exit 1'
const repository = name('team/app')

async function put(path: string, content: unknown, mode = 0o600): Promise<void> {
  const full = join(home, path)
  await mkdir(dirname(full), { recursive: true })
  await writeFile(full, typeof content === 'string' ? content : JSON.stringify(content))
  await chmod(full, mode)
}

function credentialsWith(more: Partial<DockerConfigOptions> = {}) {
  return createDockerCredentials({
    dockerConfig: 'auto',
    warn: (message) => warnings.push(message),
    env: programs.env,
    home,
    lookEvery: 0,
    ...more,
  })
}

/** What was found, secrets laid open. */
async function found(upstream: string, credentials = credentialsWith(), wanted = repository) {
  const credential = await credentials(upstream, wanted)
  if (!credential) return undefined
  const { identity, username, password, identityToken, registryToken } = credential
  return {
    identity,
    username,
    ...(password && { password: password.reveal() }),
    ...(identityToken && { identityToken: identityToken.reveal() }),
    ...(registryToken && { registryToken: registryToken.reveal() }),
  }
}

describe('the entries of a file', () => {
  test('`auth` is split at its first colon', async () => {
    await put('.docker/config.json', { auths: { 'ghcr.io': { auth: auth('octocat:pw:with:colons') } } })
    expect(await found('ghcr.io')).toEqual({
      identity: 'docker:octocat',
      username: 'octocat',
      password: 'pw:with:colons',
    })
    expect(await found('quay.io')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('NULs at the end of a password are padding', async () => {
    await put('.docker/config.json', { auths: { 'ghcr.io': { auth: auth('octocat:pw\0\0') } } })
    expect(await found('ghcr.io')).toMatchObject({ password: 'pw' })
  })

  test('`username` and `password` may stand by themselves', async () => {
    await put('.docker/config.json', { auths: { 'ghcr.io': { username: 'octocat', password: 'pw' } } })
    expect(await found('ghcr.io')).toEqual({ identity: 'docker:octocat', username: 'octocat', password: 'pw' })
  })

  test('an identity token and a registry token are told from passwords', async () => {
    await put('.docker/config.json', {
      auths: {
        'x.azurecr.io': { auth: auth('00000000-0000-0000-0000-000000000000:'), identitytoken: 'refresh' },
        'reg.example': { registrytoken: 'bearer' },
      },
    })
    expect(await found('x.azurecr.io')).toEqual({
      identity: 'docker:00000000-0000-0000-0000-000000000000',
      username: '00000000-0000-0000-0000-000000000000',
      identityToken: 'refresh',
    })
    expect(await found('reg.example')).toEqual({ identity: 'docker:<token>', username: '', registryToken: 'bearer' })
  })

  test.each([
    ['https://reg.example/v1/', 'reg.example'],
    ['https://reg.example/v2/', 'reg.example'],
    ['http://reg.example', 'reg.example'],
    ['reg.example/v1', 'reg.example'],
    ['REG.example', 'reg.example'],
    ['reg.example:443', 'reg.example'],
    ['reg.example', 'reg.example:443'],
    ['reg.example:5000', 'reg.example:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
  ])('the key %s is for %s', async (key, upstream) => {
    await put('.docker/config.json', { auths: { [key]: { auth: auth('octocat:pw') } } })
    expect(await found(upstream)).toMatchObject({ username: 'octocat' })
  })

  test.each([
    'reg.example:5000',
    'a.reg.example',
    'example',
    'reg.example.evil',
    'https://evil/reg.example',
    'reg.example@evil',
  ])('the key %s is not for reg.example', async (key) => {
    await put('.docker/config.json', { auths: { [key]: { auth: auth('octocat:pw') } } })
    expect(await found('reg.example')).toBeUndefined()
  })

  test('the most specific key wins, by whole components', async () => {
    await put('.docker/config.json', {
      auths: { 'reg.example': entry('host'), 'reg.example/team': entry('team'), 'reg.example/team/app': entry('app') },
    })
    const credentials = credentialsWith()
    const user = async (text: string) => (await found('reg.example', credentials, name(text)))?.username
    expect(await user('team/app')).toBe('app')
    expect(await user('team/app/sub')).toBe('app')
    expect(await user('team/app2')).toBe('team')
    expect(await user('teams')).toBe('host')
  })

  test.each([
    ['that is no base64', { auth: '???' }],
    ['without a colon', { auth: auth('octocat') }],
    ['without a password', { username: 'octocat' }],
  ])('an entry %s is a failure for its own host only', async (_what, broken) => {
    await put('.docker/config.json', { auths: { 'bad.example': broken, 'ghcr.io': { auth: auth('octocat:pw') } } })
    await expect(found('bad.example')).rejects.toMatchObject({ trouble: 'unreachable', upstream: 'bad.example' })
    expect(await found('ghcr.io')).toMatchObject({ username: 'octocat' })
  })
})

describe('helpers', () => {
  test('credHelpers go before credsStore, credsStore before auths', async () => {
    await programs.write('own', answers('own'))
    await programs.write('store', answers('store'))
    await put('.docker/config.json', {
      auths: { 'ghcr.io': { auth: auth('file:pw') }, 'quay.io': { auth: auth('file:pw') } },
      credHelpers: { 'https://ghcr.io/v2/': 'own' },
      credsStore: 'store',
    })
    expect(await found('ghcr.io')).toMatchObject({ identity: 'helper-own:own' })
    expect(await found('quay.io')).toMatchObject({ identity: 'helper-store:store' })
  })

  test('what a helper does not hold may stand in auths, whose empty entries are only marks', async () => {
    await programs.write('store', nothing)
    await put('.docker/config.json', {
      auths: { 'ghcr.io': { auth: auth('file:pw') }, 'quay.io': {} },
      credsStore: 'store',
    })
    expect(await found('ghcr.io')).toMatchObject({ identity: 'docker:file' })
    expect(await found('quay.io')).toBeUndefined()
  })

  test('Docker Hub is asked for by the name that docker login uses', async () => {
    await programs.write('store', answers('hub'))
    await put('.docker/config.json', { credsStore: 'store' })
    expect(await found('docker.io')).toMatchObject({ username: 'hub' })
    expect(await programs.asked()).toEqual(['store get https://index.docker.io/v1/'])
  })

  test('one that fails is a failure that says what to do, never anonymity', async () => {
    await programs.write('store', 'echo locked; exit 1')
    await put('.docker/config.json', { auths: { 'ghcr.io': { auth: auth('file:pw') } }, credsStore: 'store' })
    await expect(found('ghcr.io')).rejects.toMatchObject({
      trouble: 'unreachable',
      upstream: 'ghcr.io',
      detail: expect.stringMatching(/docker-credential-store failed .*`dockerConfig: off`/),
    })
  })
})

describe('the files', () => {
  test('none at all means no credentials and no words', async () => {
    expect(await found('ghcr.io')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('`off` reads none', async () => {
    await put('.docker/config.json', file('docker'))
    expect(await found('ghcr.io', credentialsWith({ dockerConfig: 'off' }))).toBeUndefined()
  })

  test('a path reads that one only', async () => {
    await put('.docker/config.json', file('docker'))
    await put('mine.json', { auths: { 'quay.io': { auth: auth('mine:pw') } } })
    const credentials = credentialsWith({ dockerConfig: join(home, 'mine.json') })
    expect(await found('quay.io', credentials)).toMatchObject({ identity: 'docker:mine' })
    expect(await found('ghcr.io', credentials)).toBeUndefined()
  })

  test('$DOCKER_CONFIG stands for ~/.docker', async () => {
    await put('.docker/config.json', file('home'))
    await put('elsewhere/config.json', file('elsewhere'))
    const env = { ...programs.env, DOCKER_CONFIG: join(home, 'elsewhere') }
    expect(await found('ghcr.io', credentialsWith({ env }))).toMatchObject({ username: 'elsewhere' })
  })

  test("docker's goes before podman's, podman's of the session before the lasting one", async () => {
    await put('.docker/config.json', file('docker'))
    await put('run/containers/auth.json', file('session'))
    await put('.config/containers/auth.json', file('lasting'))
    const credentials = credentialsWith({ env: { ...programs.env, XDG_RUNTIME_DIR: join(home, 'run') } })
    expect(await found('ghcr.io', credentials)).toMatchObject({ identity: 'docker:docker' })
    await rm(join(home, '.docker'), { recursive: true })
    expect(await found('ghcr.io', credentials)).toMatchObject({ identity: 'podman:session' })
    await rm(join(home, 'run'), { recursive: true })
    expect(await found('ghcr.io', credentials)).toMatchObject({ identity: 'podman:lasting' })
  })

  test("$REGISTRY_AUTH_FILE stands for podman's file of the session", async () => {
    await put('run/containers/auth.json', file('session'))
    await put('named.json', file('named'))
    const env = { ...programs.env, XDG_RUNTIME_DIR: join(home, 'run'), REGISTRY_AUTH_FILE: join(home, 'named.json') }
    expect(await found('ghcr.io', credentialsWith({ env }))).toMatchObject({ identity: 'podman:named' })
  })

  test('one is read again when it changes, appears and goes', async () => {
    const credentials = credentialsWith()
    expect(await found('ghcr.io', credentials)).toBeUndefined()
    await put('.docker/config.json', file('first'))
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'first' })
    await put('.docker/config.json', file('other'))
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'other' })
    await rm(join(home, '.docker/config.json'))
    expect(await found('ghcr.io', credentials)).toBeUndefined()
  })

  test('it is looked at once a second', async () => {
    let clock = 0
    const credentials = credentialsWith({ lookEvery: 1_000, now: () => clock })
    await put('.docker/config.json', file('first'))
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'first' })
    await put('.docker/config.json', file('second'))
    clock = 999
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'first' })
    clock = 1_000
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'second' })
  })

  test.each([
    ['no JSON', '{"auths": {"ghcr.io": pa55word'],
    ['no object', '[]'],
    ['larger than a mebibyte', `{"auths": {}, "padding": "${'x'.repeat(1024 * 1024)}"}`],
  ])('one that is %s is a failure that shows neither content nor path, and heals', async (_what, content) => {
    const credentials = credentialsWith()
    await put('.docker/config.json', content)
    const error = await found('ghcr.io', credentials).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      trouble: 'unreachable',
      detail: expect.stringContaining('the docker credential file'),
    })
    expect(String(error)).not.toMatch(/pa55word|config\.json/)
    expect(warnings).toEqual([expect.stringContaining(join(home, '.docker/config.json'))])
    await put('.docker/config.json', file('mended'))
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'mended' })
  })

  test('one that others may read is used, with a warning', async () => {
    await put('.docker/config.json', file('docker'), 0o644)
    const credentials = credentialsWith()
    expect(await found('ghcr.io', credentials)).toMatchObject({ username: 'docker' })
    await found('ghcr.io', credentials)
    expect(warnings).toEqual([expect.stringContaining('chmod 600')])
  })

  test('a path that leads to no file is said once', async () => {
    const credentials = credentialsWith({ dockerConfig: join(home, 'missing.json') })
    expect(await found('ghcr.io', credentials)).toBeUndefined()
    expect(await found('ghcr.io', credentials)).toBeUndefined()
    expect(warnings).toEqual([expect.stringMatching(/missing\.json: ENOENT/)])
  })

  test('a path that leads to a directory is a failure', async () => {
    await mkdir(join(home, 'directory'))
    const credentials = credentialsWith({ dockerConfig: join(home, 'directory') })
    await expect(found('ghcr.io', credentials)).rejects.toMatchObject({ detail: expect.stringContaining('EISDIR') })
  })
})
