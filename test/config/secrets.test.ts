import { chmodSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createHome, upstreamOf } from './support.ts'

describe('secrets', () => {
  test('come from a text, a file or a variable, the most specific prefix first', () => {
    const home = createHome()
    home.write('token', 'from-file\n')
    const yaml = [
      'upstreams:',
      '  reg.example:',
      '    username: all',
      '    password: from-text',
      '    credentials:',
      '      - { prefix: team, username: t, password: { file: token } }',
      '      - { prefix: team/app, identityToken: { env: ENTREPOT_APP_TOKEN } }',
    ]
    const { credentials } = upstreamOf(
      home.load(yaml.join('\n'), { env: { ENTREPOT_APP_TOKEN: 'from-variable' } }),
      'reg.example',
    )
    expect(credentials.map(({ prefix, username }) => [prefix, username])).toEqual([
      ['team/app', ''],
      ['team', 't'],
      ['', 'all'],
    ])
    expect(credentials[0]?.identityToken?.reveal()).toBe('from-variable')
    expect(credentials[1]?.password?.reveal()).toBe('from-file')
    expect(credentials[2]?.password?.reveal()).toBe('from-text')
  })

  test('show themselves to nobody who prints the configuration', () => {
    const yaml =
      'upstreams:\n  reg.example:\n    username: u\n    password: canary\n    proxy: http://u:canary@proxy:3128'
    const config = createHome().load(yaml)
    for (const shown of [
      JSON.stringify(config),
      inspect(config, { depth: 9 }),
      String(upstreamOf(config, 'reg.example').proxy),
    ]) {
      expect(shown).not.toContain('canary')
      expect(shown).toContain('[redacted]')
    }
  })

  test('in a file that others can read stop the start with the command that helps', () => {
    const home = createHome()
    const path = home.write('token', 's')
    chmodSync(path, 0o640)
    const yaml = `upstreams:\n  reg.example:\n    username: u\n    password: { file: token }`
    expect(home.problems(yaml)).toEqual([
      'c.yaml:4:5: upstreams."reg.example".password: is kept in token, which other users can read: chmod 600 token',
    ])
    chmodSync(path, 0o400)
    expect(upstreamOf(home.load(yaml), 'reg.example').credentials[0]?.password?.reveal()).toBe('s')
  })

  test("in systemd's folder of credentials are taken whatever the group bits say", () => {
    const home = createHome()
    chmodSync(home.write('token', 's'), 0o440)
    const yaml = 'upstreams:\n  reg.example:\n    username: u\n    password: { file: token }'
    const config = home.load(yaml, { env: { CREDENTIALS_DIRECTORY: home.folder } })
    expect(upstreamOf(config, 'reg.example').credentials[0]?.password?.reveal()).toBe('s')
  })

  test('as text make the configuration file a secret file', () => {
    const home = createHome()
    chmodSync(home.write('c.yaml', ''), 0o644)
    const yaml = 'upstreams:\n  reg.example:\n    username: u\n    password: canary'
    const [problem, ...more] = home.problems(yaml)
    expect(problem).toBe(
      'c.yaml:4:5: upstreams."reg.example".password: is kept in c.yaml, which other users can read: chmod 600 c.yaml; or move it to { file: PATH }',
    )
    expect(more).toEqual([])
    expect(home.load('offline: true').offline).toBe(true)
  })

  const wrong: [what: string, password: string, reason: string][] = [
    ['a number', '12345', 'must be a text (in quotes where it is a number), { file: PATH } or { env: NAME }'],
    ['two places', '{ file: a, env: b }', 'must be a text'],
    ['a variable that is not set', '{ env: NOT_SET }', 'is read from the variable NOT_SET, which is not set'],
    ['a variable that is empty', '{ env: EMPTY }', 'is empty'],
    ['a file that is not there', '{ file: none }', 'is read from none, which is not there'],
    ['a folder', '{ file: . }', 'which is no file'],
    ['a line break', '"canary\\nx"', 'holds a line break or another control character'],
  ]
  test.each(wrong)('cannot be %s', (_, password, reason) => {
    const yaml = `upstreams:\n  reg.example:\n    username: u\n    password: ${password}`
    const [problem, ...more] = createHome().problems(yaml, { env: { EMPTY: '' } })
    expect(problem).toContain('c.yaml:4:5: upstreams."reg.example".password: ')
    expect(problem).toContain(reason)
    expect(problem).not.toContain('canary')
    expect(more).toEqual([])
  })

  test('the variable of a secret may have our prefix, once the configuration names it', () => {
    const home = createHome()
    const yaml = 'upstreams:\n  reg.example:\n    identityToken: { env: ENTREPOT_SECRET }'
    expect(home.load(yaml, { env: { ENTREPOT_SECRET: 'x' } }).upstreams).toHaveLength(10)
    expect(home.problems(undefined, { env: { ENTREPOT_SECRET: 'x' } })).toHaveLength(1)
  })
})

describe('TLS', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

  test('files are read at the start, the key from a file that others cannot read', () => {
    const home = createHome()
    home.write('ca.pem', pem, 0o644)
    home.write('cert.pem', pem, 0o644)
    const key = home.write('key.pem', 'canary')
    const yaml = 'upstreams:\n  reg.example:\n    ca: ca.pem\n    clientCertificate: { cert: cert.pem, key: key.pem }'
    const { ca, clientCertificate } = upstreamOf(home.load(yaml), 'reg.example')
    expect(ca).toBe(pem)
    expect(clientCertificate?.cert).toBe(pem)
    expect(clientCertificate?.key.reveal()).toBe('canary')
    chmodSync(key, 0o644)
    expect(home.problems(yaml)).toEqual([
      'c.yaml:4:5: upstreams."reg.example".clientCertificate.key: is kept in key.pem, which other users can read: chmod 600 key.pem'.replace(
        '4:5',
        '4:42',
      ),
    ])
  })

  test('a ca file without a certificate stops the start', () => {
    const home = createHome()
    home.write('ca.pem', 'nothing')
    expect(home.problems('upstreams:\n  reg.example:\n    ca: ca.pem')[0]).toContain('holds no PEM certificate')
    expect(home.problems('upstreams:\n  reg.example:\n    ca: no.pem')[0]).toContain('names no.pem, which is not there')
  })
})

test('the text of a broken file is never quoted, because it may hold secrets', () => {
  const broken = [
    'password: "canary',
    'password: canary: x',
    'password: {canary',
    '  canary\npassword: x',
    '@canary',
    'a: "\\canary"',
    '&a canary: *b',
  ]
  for (const yaml of broken) {
    const told = createHome().problems(yaml).join('\n')
    expect(told).toContain('c.yaml:')
    expect(told.replaceAll('@canary', '')).not.toContain('canary')
  }
})
