import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createHome } from './support.ts'

describe('without any configuration', () => {
  test('a laptop gets loopback, its own data folder and nine public registries', () => {
    const home = createHome()
    const config = home.load(undefined)
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 5000 },
      names: [],
      data: join(home.folder, '.local/share/entrepot'),
      defaultUpstream: 'docker.io',
      hosted: ['local/**', 'charts/**', 'helm-charts/**', 'myrepo/**'],
      dockerConfig: 'auto',
      freshFor: 60_000,
      listsFreshFor: 300_000,
      maxSize: 20 * 2 ** 30,
      offline: false,
      allowAnonymousLan: false,
      logLevel: 'info',
    })
    expect(config.upstreams).toHaveLength(9)
  })

  test('without a home folder it says which flag is missing', () => {
    const home = createHome()
    expect(home.problems(undefined, { home: undefined })).toEqual([
      'data: must be given, because there is no home folder: --data PATH',
    ])
  })
})

test('a path that starts with ~ stops the start where there is no home folder', () => {
  const home = createHome()
  const problem = 'starts with ~, and there is no home folder'
  expect(home.problems('data: ~/kept', { home: undefined })).toEqual([`c.yaml:1:1: data: ${problem}`])
  expect(home.problems(undefined, { home: undefined, flags: { config: '~/c.yaml' } })).toEqual([`~/c.yaml: ${problem}`])
})

describe('where values come from', () => {
  test('a variable wins over the file, a flag over both', () => {
    const home = createHome()
    const env = { ENTREPOT_FRESH_FOR: '2m', ENTREPOT_LISTEN: '127.0.0.1:2' }
    const config = home.load('freshFor: 1m\nlisten: 127.0.0.1:1\nlistsFreshFor: 1m\n', {
      env,
      flags: { listen: '[::1]:3' },
    })
    expect(config).toMatchObject({ freshFor: 120_000, listen: { host: '::1', port: 3 }, listsFreshFor: 60_000 })
  })

  test('the variables of switches are read as true and false', () => {
    const home = createHome()
    expect(home.load('offline: true', { env: { ENTREPOT_OFFLINE: 'false' } }).offline).toBe(false)
    expect(home.load(undefined, { flags: { offline: true } }).offline).toBe(true)
  })

  test('the file is the flag, else the variable, else the one in the XDG folder', () => {
    const home = createHome()
    const [flag, variable] = [home.write('flag.yaml', 'freshFor: 1s'), home.write('variable.yaml', 'freshFor: 2s')]
    mkdirSync(join(home.folder, 'entrepot'))
    home.write('entrepot/config.yaml', 'freshFor: 3s')
    const env = { XDG_CONFIG_HOME: home.folder, ENTREPOT_CONFIG: variable }
    expect(home.load(undefined, { env, flags: { config: flag } }).freshFor).toBe(1000)
    expect(home.load(undefined, { env }).freshFor).toBe(2000)
    expect(home.load(undefined, { env: { XDG_CONFIG_HOME: home.folder } }).freshFor).toBe(3000)
  })

  test('a path in the file is relative to the file, a path of a flag to where it is typed', () => {
    const home = createHome()
    expect(home.load('data: kept').data).toBe(join(home.folder, 'kept'))
    expect(home.load('data: ~/kept').data).toBe(join(home.folder, 'kept'))
    expect(home.load(undefined, { flags: { data: 'kept' } }).data).toBe(join(process.cwd(), 'kept'))
  })

  test('the data folder follows XDG_DATA_HOME where that is absolute', () => {
    const home = createHome()
    expect(home.load(undefined, { env: { XDG_DATA_HOME: '/d' } }).data).toBe('/d/entrepot')
    expect(home.load(undefined, { env: { XDG_DATA_HOME: 'd' } }).data).toBe(join(home.folder, '.local/share/entrepot'))
  })

  test('an empty file and a file of comments are no configuration', () => {
    const home = createHome()
    expect(home.load('').defaultUpstream).toBe('docker.io')
    expect(home.load('# listen: 127.0.0.1:1\n').listen).toEqual({ host: '127.0.0.1', port: 5000 })
  })

  test('a named file that is missing stops the start', () => {
    const home = createHome()
    const problems = home.problems(undefined, { flags: { config: join(home.folder, 'no.yaml') } })
    expect(problems).toEqual(['no.yaml: is not there'])
  })
})

describe('what stops the start', () => {
  const wrong: [what: string, yaml: string, ...problems: string[]][] = [
    ['an unknown key', 'listn: 127.0.0.1:1', 'c.yaml:1:1: listn: unknown key; did you mean listen?'],
    [
      'a key of a later stage',
      'a: 1\nmetrics: 127.0.0.1:5001',
      'c.yaml:1:1: a: unknown key; the nearest known is data',
      'c.yaml:2:1: metrics: unknown key; the nearest known is ',
    ],
    [
      'an unknown key of an upstream',
      'upstreams:\n  ghcr.io:\n    usrname: x',
      'c.yaml:3:5: upstreams."ghcr.io".usrname: unknown key; did you mean username?',
    ],
    [
      'an unknown key of a credential',
      'upstreams:\n  ghcr.io:\n    credentials:\n    - prefix: a\n      identityToken: t\n      pasword: x',
      'c.yaml:6:7: upstreams."ghcr.io".credentials[0].pasword: unknown key; did you mean password?',
    ],
    [
      'an unknown place of a secret',
      'upstreams:\n  ghcr.io:\n    username: u\n    password: { file: x, evn: y }',
      'c.yaml:4:26: upstreams."ghcr.io".password.evn: unknown key; did you mean env?',
    ],
    ['a wrong type', 'offline: yes please', 'c.yaml:1:1: offline: must be true or false, not a text'],
    [
      'a list where a text belongs',
      'data: [a]',
      'c.yaml:1:1: data: must be a text (in quotes where it would be read as a number), not a list',
    ],
    ['a key without a value', 'names:', 'c.yaml:1:1: names: must be a list, not nothing'],
    ['no map at all', '- listen', 'c.yaml:1:1: must be a map of keys and values'],
    [
      'a duration without a unit',
      'freshFor: "60"',
      'c.yaml:1:1: freshFor: must be a number and a unit: 500ms, 60s, 5m, 24h, 7d',
    ],
    [
      'a number where a unit is needed too',
      'freshFor: 10\nmaxSize: 10\nlisten: 5000',
      'c.yaml:3:1: listen: must be HOST:PORT, [IPV6]:PORT or unix:/PATH, such as 127.0.0.1:5000',
      'c.yaml:1:1: freshFor: must be a number and a unit: 500ms, 60s, 5m, 24h, 7d',
      'c.yaml:2:1: maxSize: must be a number and a unit: 500MiB, 20GiB, 1TB',
    ],
    [
      'a number that quotes make a text',
      'upstreams:\n  a.example:\n    alias: 7',
      'c.yaml:3:5: upstreams."a.example".alias: must be a text (in quotes where it would be read as a number), not a number',
    ],
    ['a size without a unit', 'maxSize: 20G', 'c.yaml:1:1: maxSize: must be a number and a unit: 500MiB, 20GiB, 1TB'],
    ['a size of nothing', 'maxSize: 0GiB', 'c.yaml:1:1: maxSize: must be at least 1MiB and at most 8191TiB'],
    [
      'an address without a host',
      'listen: ":5000"',
      'c.yaml:1:1: listen: must be HOST:PORT, [IPV6]:PORT or unix:/PATH, such as 127.0.0.1:5000',
    ],
    ['a relative socket', 'listen: unix:s', 'c.yaml:1:1: listen: must be unix: and an absolute path'],
    [
      'a word outside a choice',
      'logLevel: loud',
      'c.yaml:1:1: logLevel: must be debug or info or warn or error, not "loud"',
    ],
    [
      'a name with a scheme',
      'names:\n- ok.internal\n- http://x',
      'c.yaml:3:3: names[1]: must be HOST or HOST:PORT, without scheme and path',
    ],
    [
      'a partial star',
      'hosted: [a*/b]',
      'c.yaml:1:10: hosted[0]: must be a name in which * stands for one component and ** for one or more, such as charts/**',
    ],
    ['a key twice', 'data: a\ndata: b', 'c.yaml:2:1: the key stands here for the second time'],
    ['two documents', 'data: a\n---\ndata: b', 'c.yaml:2:1: a second document starts here; the file must be one'],
    ['tabs', 'upstreams:\n\tghcr.io:', 'c.yaml:2:1: is not YAML: indent with spaces, not tabs'],
    ['__proto__', 'upstreams:\n  __proto__: {}', 'c.yaml:2:3: __proto__: unknown key'],
    [
      'a default upstream that is not configured',
      'defaultUpstream: quay.oi',
      'c.yaml:1:1: defaultUpstream: quay.oi is no known upstream: configure it under upstreams; did you mean quay.io?',
    ],
    [
      'an address off loopback',
      'listen: 0.0.0.0:5000',
      'c.yaml:1:1: listen: 0.0.0.0 is not a loopback address, so that everybody who can connect would be served: listen on 127.0.0.1, say under access who may do what, or say allowAnonymousLan: true if that is meant',
    ],
    [
      'a docker configuration that is not there',
      'dockerConfig: no.json',
      'c.yaml:1:1: dockerConfig: there is no file ',
    ],
  ]
  test.each(wrong)('%s', (_, yaml, ...problems) => {
    const found = createHome().problems(yaml)
    expect(found).toHaveLength(problems.length)
    for (const [index, problem] of problems.entries()) expect(found[index]).toContain(problem)
  })

  test('all problems of a file are told at once', () => {
    expect(createHome().problems('freshFor: 1\nmaxSize: 2\nlisten: x\nfoo: 1')).toHaveLength(4)
  })

  test('a wrong variable is named instead of a line', () => {
    const home = createHome()
    expect(home.problems('freshFor: 1m', { env: { ENTREPOT_FRESH_FOR: 'soon' } })).toEqual([
      'ENTREPOT_FRESH_FOR: freshFor: must be a number and a unit: 500ms, 60s, 5m, 24h, 7d',
    ])
    expect(home.problems(undefined, { env: { ENTREPOT_OFFLINE: '1' } })).toEqual([
      'ENTREPOT_OFFLINE: offline: must be true or false, not a text',
    ])
  })

  test('a wrong flag is named instead of a line', () => {
    expect(createHome().problems('listen: 127.0.0.1:1', { flags: { listen: '10.0.0.1:1' } })[0]).toMatch(
      /^--listen: listen: 10\.0\.0\.1 is not a loopback address/,
    )
  })

  test('an unknown variable, but for those of tests', () => {
    const home = createHome()
    expect(home.problems(undefined, { env: { ENTREPOT_LISTN: 'x', ENTREPOT_TEST_X: 'y' } })).toEqual([
      'ENTREPOT_LISTN: unknown variable; did you mean ENTREPOT_LISTEN?',
    ])
    expect(home.load(undefined, { env: { ENTREPOT_TEST_X: 'y' } }).offline).toBe(false)
  })

  test('a variable for a key that holds more than one value', () => {
    expect(createHome().problems(undefined, { env: { ENTREPOT_HOSTED: 'a/**' } })).toEqual([
      'ENTREPOT_HOSTED: unknown variable; the nearest known is ENTREPOT_LISTEN',
    ])
  })

  test('a file of 1 MiB and a byte', () => {
    expect(createHome().problems(`#${'x'.repeat(1024 * 1024)}`)).toEqual(['c.yaml: is larger than 1 MiB'])
  })

  test.each([
    ['hosted: [Local/**]', 'hosted[0]: must be in lower case, as all names are: local/**'],
    ['immutableTags: [Charts/**:V*]', 'immutableTags[0]: must be in lower case, as all names are: charts/**'],
    ['hosted: [Local//x]', 'hosted[0]: must be a name in which * stands for one component'],
  ])('the pattern of %j', (yaml, problem) => {
    expect(createHome().problems(yaml)).toEqual([expect.stringContaining(problem)])
  })

  test('a file that blows up by aliases', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]']
    for (const [from, to] of ['ab', 'bc', 'cd', 'de']) bomb.push(`${to}: &${to} [${`*${from},`.repeat(9)}]`)
    expect(createHome().problems(bomb.join('\n'))).toEqual(['c.yaml:1:1: has too many aliases'])
  })

  test('a data folder whose socket the kernel could not bind', () => {
    const folder = `/${'d'.repeat(93)}`
    expect(createHome().load(undefined, { flags: { data: folder.slice(0, -1) } }).data).toHaveLength(93)
    expect(createHome().problems(undefined, { flags: { data: folder } })[0]).toContain(
      'has 108 bytes; the kernel takes 107',
    )
  })

  test('a socket path to listen on that the kernel could not bind', () => {
    expect(createHome().problems(`listen: unix:/${'s'.repeat(107)}`)[0]).toContain('has 108 bytes')
  })
})

test('a configuration file that is a folder stops the start', () => {
  const home = createHome()
  chmodSync(home.folder, 0o700)
  expect(home.problems(undefined, { flags: { config: home.folder } })[0]).toContain('is no file')
})
