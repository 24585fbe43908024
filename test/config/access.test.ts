import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readTlsFiles } from '../../src/config/tls.ts'
import { issueCertificate } from '../support/certificates.ts'
import { createHome } from './support.ts'

function homeWithUsers() {
  const home = createHome()
  home.write('htpasswd', '')
  return home
}

const rule = (text: string) => `access:\n  htpasswd: htpasswd\n  rules:\n    - ${text}`

describe('access', () => {
  test('is off without the key', () => {
    expect(createHome().load('')).not.toHaveProperty('access')
  })

  test('names repositories as the upstream itself does, however they are written', () => {
    const home = homeWithUsers()
    const { access } = home.load(
      `upstreams: { 'r.example:5000': { alias: r } }\n${rule("{ users: [alice, '*', anonymous], repositories: [index.docker.io/library/*, r/**, hosted/charts/x, '**'], actions: [pull, push] }")}`,
    )
    expect(access).toEqual({
      htpasswd: join(home.folder, 'htpasswd'),
      rules: [
        {
          users: ['alice', '*', 'anonymous'],
          repositories: ['docker.io/library/*', 'r.example:5000/**', 'hosted/charts/x', '**'],
          actions: ['pull', 'push'],
        },
      ],
      named: new Map(
        ['5:17', '5:24', '5:29'].map((place, index) => [
          ['alice', '*', 'anonymous'][index],
          `${home.folder}/c.yaml:${place}: access.rules[0].users[${index}]`,
        ]),
      ),
    })
  })

  test('takes the place of allowAnonymousLan, so that credentials are used again', () => {
    const home = homeWithUsers()
    const { allowAnonymousLan } = home.load('allowAnonymousLan: true\naccess: { htpasswd: htpasswd, rules: [] }')
    expect(allowAnonymousLan).toBe(false)
  })

  test.each([
    [
      'a repository that no upstream has',
      rule('{ users: [a], repositories: [hosted/x, ghrc.io/x], actions: [pull] }'),
      'c.yaml:4:46: access.rules[0].repositories[1]: ghrc.io is neither hosted nor a known upstream; did you mean ghcr.io?',
    ],
    [
      'a name without its origin',
      rule('{ users: [a], repositories: [alpine], actions: [pull] }'),
      'access.rules[0].repositories[0]: must be <upstream host>/<name> or hosted/<name>',
    ],
    [
      'an action that there is not',
      rule('{ users: [a], repositories: [hosted/x], actions: [read] }'),
      'access.rules[0].actions[0]: must be pull or push or delete, not "read"',
    ],
    [
      'an action that is nearly one',
      rule('{ users: [a], repositories: [hosted/x], actions: [pulll] }'),
      'access.rules[0].actions[0]: must be pull or push or delete, not "pulll"; did you mean pull?',
    ],
    [
      'an action that is no text',
      rule('{ users: [a], repositories: [hosted/x], actions: [[pull]] }'),
      'access.rules[0].actions[0]: must be pull or push or delete, not a list',
    ],
    [
      'a name in upper case',
      rule('{ users: [a], repositories: [hosted/Team/**], actions: [pull] }'),
      'access.rules[0].repositories[0]: must be in lower case, as all names are: hosted/team/**',
    ],
    [
      'nobody',
      rule('{ users: [], repositories: [hosted/x], actions: [pull] }'),
      'access.rules[0].users: must name somebody',
    ],
    [
      'a user who cannot be',
      rule("{ users: ['a:b'], repositories: [hosted/x], actions: [pull] }"),
      'access.rules[0].users[0]: must be 1 to 256 characters without a colon',
    ],
    [
      'a key that there is not',
      'access: { htpasswd: htpasswd, rules: [], rule: 1 }',
      'rule: unknown key; did you mean rules?',
    ],
    [
      'no file',
      'access: { htpasswd: nowhere, rules: [] }',
      'c.yaml:1:11: access.htpasswd: names nowhere, which is not there',
    ],
    ['a folder', 'access: { htpasswd: ., rules: [] }', 'which is no file'],
  ])('%s stops the start', (_, yaml, problem) => {
    expect(homeWithUsers().problems(yaml)).toEqual([expect.stringContaining(problem)])
  })

  test('a file of users that others can read stops the start', () => {
    const home = createHome()
    home.write('htpasswd', '', 0o644)
    expect(home.problems('access: { htpasswd: htpasswd, rules: [] }')).toEqual([
      'c.yaml:1:11: access.htpasswd: is kept in htpasswd, which other users can read: chmod 600 htpasswd',
    ])
  })
})

describe('tls', () => {
  const one = issueCertificate({ name: 'one', hosts: ['localhost'] })
  const other = issueCertificate({ name: 'other', hosts: ['localhost'] })

  function homeWith(certificate: string, key: string, mode = 0o600) {
    const home = createHome()
    home.write('cert.pem', certificate, 0o644)
    home.write('key.pem', key, mode)
    return home
  }

  const yaml = 'tls: { certificate: cert.pem, key: key.pem }'

  test('takes a certificate with its key', () => {
    const home = homeWith(one.cert, one.key)
    expect(home.load(yaml).tls).toEqual({
      certificate: join(home.folder, 'cert.pem'),
      key: join(home.folder, 'key.pem'),
    })
  })

  test.each([
    [
      "another certificate's key",
      one.cert,
      other.key,
      0o600,
      'c.yaml:1:1: tls: names key.pem, which is not the key of cert.pem',
    ],
    ['no certificate', 'x', one.key, 0o600, 'c.yaml:1:1: tls: names cert.pem, which holds no PEM certificate'],
    [
      'no key',
      one.cert,
      one.cert,
      0o600,
      'c.yaml:1:1: tls: names key.pem, which holds no PEM private key without a passphrase',
    ],
    [
      'a key that others can read',
      one.cert,
      one.key,
      0o640,
      'c.yaml:1:1: tls: is kept in key.pem, which other users can read: chmod 600 key.pem',
    ],
  ])('%s stops the start', (_, certificate, key, mode, problem) => {
    expect(homeWith(certificate, key, mode).problems(yaml)).toEqual([problem])
  })

  test('a file that is not there is named', () => {
    const home = createHome()
    home.write('key.pem', one.key)
    expect(home.problems(yaml)).toEqual(['c.yaml:1:1: tls: names cert.pem, which is not there'])
  })

  test('has no use on a unix socket', () => {
    const home = homeWith(one.cert, one.key)
    expect(home.problems(`listen: unix:/run/e.sock\n${yaml}`)).toEqual(['c.yaml:2:1: tls: has no use on a unix socket'])
  })

  test('the key does not show where what was read is logged', () => {
    const home = homeWith(one.cert, one.key)
    const { tls } = home.load(yaml)
    const pair = tls && readTlsFiles(tls, {})
    expect(JSON.stringify(pair)).not.toContain('PRIVATE KEY')
    expect(pair?.key.reveal()).toBe(one.key)
  })
})
