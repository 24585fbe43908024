import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { secret } from '../../../src/oci/secret.ts'
import { createCredentials } from '../../../src/upstream/credentials.ts'
import { login, name } from './support.ts'

const docker = async () => ({ ...login('docker', 'pw'), identity: 'docker:docker' })

test('of the configured credentials the one with the longest prefix counts, by whole components', async () => {
  const credentials = createCredentials({
    upstream: 'reg.example',
    configured: [
      { prefix: 'team', username: 'team', password: secret('pw') },
      { username: 'all', password: secret('pw') },
      { prefix: 'team/app', username: 'app', password: secret('pw') },
    ],
    docker,
  })
  const identity = async (text: string) => (await credentials(name(text)))?.identity
  expect(await identity('team/app')).toBe('config:app')
  expect(await identity('team/app/sub')).toBe('config:app')
  expect(await identity('team/app2')).toBe('config:team')
  expect(await identity('teams')).toBe('config:all')
})

test("what the configuration does not cover is looked up in docker's", async () => {
  const configured = [{ prefix: 'team', username: 'team', password: secret('pw') }]
  const asked: string[] = []
  const credentials = createCredentials({
    upstream: 'reg.example',
    configured,
    docker: async (upstream, repository) => {
      asked.push(`${upstream} ${repository}`)
      return docker()
    },
  })
  expect((await credentials(name('other/app')))?.identity).toBe('docker:docker')
  expect((await credentials(name('team/app')))?.identity).toBe('config:team')
  expect(asked).toEqual(['reg.example other/app'])
})

test('an identity token without a user name is a credential too', async () => {
  const configured = [{ prefix: '', username: '', identityToken: secret('refresh') }]
  const found = await createCredentials({ upstream: 'reg.example', configured })(name('a'))
  expect(found).toMatchObject({ identity: 'config:<token>', username: '' })
  expect(found?.identityToken?.reveal()).toBe('refresh')
  expect(found?.password).toBeUndefined()
})

test('without any there is none', async () => {
  expect(await createCredentials({ upstream: 'reg.example', configured: [] })(name('a'))).toBeUndefined()
})

test('a credential shows its secret to nobody who does not ask for it', async () => {
  const credential = {
    ...login('octocat', 'pa55word'),
    identityToken: secret('pa55word'),
    registryToken: secret('pa55word'),
  }
  const shown = [
    JSON.stringify(credential),
    inspect(credential, { depth: 10, showHidden: true }),
    `${credential.password?.toString()}`,
    String(credential.password),
    Object.values(credential.password ?? {}).join(),
  ]
  expect(shown.join('\n')).not.toContain('pa55word')
  expect(JSON.stringify(credential)).toContain('[redacted]')
  expect(credential.password?.reveal()).toBe('pa55word')
})
