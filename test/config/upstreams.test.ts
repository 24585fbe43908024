import { describe, expect, test } from 'vitest'
import { presets } from '../../src/config/presets.ts'
import { createHome, upstreamOf } from './support.ts'

describe('presets', () => {
  test('every preset is an upstream at its real address', () => {
    const { upstreams } = createHome().load(undefined)
    expect(upstreams.map(({ name, url }) => [name, url.href])).toEqual([
      ['docker.io', 'https://registry-1.docker.io/'],
      ['ghcr.io', 'https://ghcr.io/'],
      ['quay.io', 'https://quay.io/'],
      ['registry.k8s.io', 'https://registry.k8s.io/'],
      ['gcr.io', 'https://gcr.io/'],
      ['public.ecr.aws', 'https://public.ecr.aws/'],
      ['mcr.microsoft.com', 'https://mcr.microsoft.com/'],
      ['registry.gitlab.com', 'https://registry.gitlab.com/'],
      ['nvcr.io', 'https://nvcr.io/'],
    ])
    expect(Object.keys(presets)).toHaveLength(9)
  })

  test('Docker Hub and GitLab have token servers on other hosts', () => {
    const config = createHome().load(undefined)
    expect(upstreamOf(config, 'docker.io').tokenRealms).toEqual(['auth.docker.io'])
    expect(upstreamOf(config, 'registry.gitlab.com').tokenRealms).toEqual(['gitlab.com'])
  })

  test('what is configured lies over the preset', () => {
    const config = createHome().load('upstreams:\n  Docker.IO:443:\n    freshFor: 5m\n    alias: hub')
    expect(upstreamOf(config, 'docker.io')).toMatchObject({
      freshFor: 300_000,
      alias: 'hub',
      tokenRealms: ['auth.docker.io'],
      otherNames: ['index.docker.io', 'registry-1.docker.io'],
    })
    expect(config.upstreams).toHaveLength(9)
  })

  test('an upstream that stands in for a public one does not share its token server', () => {
    const config = createHome().load('upstreams:\n  docker.io:\n    url: https://mirror.example')
    expect(upstreamOf(config, 'docker.io')).toMatchObject({ tokenRealms: [], url: new URL('https://mirror.example') })
  })
})

test('an upstream with no settings is itself at https', () => {
  const config = createHome().load('freshFor: 7s\nupstreams:\n  Reg.Example:5000:\n')
  expect(upstreamOf(config, 'reg.example:5000')).toEqual({
    name: 'reg.example:5000',
    otherNames: [],
    url: new URL('https://reg.example:5000'),
    credentials: [],
    tokenRealms: [],
    redirectHosts: [],
    insecure: false,
    freshFor: 7000,
    onUpstreamGone: 'keep',
    onUpstreamDenied: 'keep',
    versionRanges: 'on',
    shared: false,
  })
})

describe('what stops the start', () => {
  const plain = 'upstreams:\n  reg.example:\n    url: http://10.0.0.1:5000\n'
  const wrong: [what: string, yaml: string, problem: string][] = [
    ['a host with a scheme', 'upstreams:\n  https://x.example: {}', 'must be a host as clients write it'],
    ['a host twice', 'upstreams:\n  Quay.io: {}\n  quay.io: {}', 'means the same upstream as another entry: quay.io'],
    ['another name of Docker Hub', 'upstreams:\n  index.docker.io: {}', 'is another name of docker.io: configure that'],
    ['the name of the official images', 'upstreams:\n  library: {}', 'library is the name of the official images'],
    [
      'an alias twice',
      'upstreams:\n  a.example: { alias: x }\n  b.example: { alias: x }',
      'x already means the upstream a.example',
    ],
    [
      'an alias that is a host',
      'upstreams:\n  a.example: { alias: quay.io }',
      'quay.io already means the upstream quay.io',
    ],
    [
      'an alias that stands for a port',
      'upstreams:\n  a.example:5000: {}\n  b.example: { alias: a.example-5000 }',
      'a.example-5000 already means the upstream a.example:5000',
    ],
    [
      'an alias of official images',
      'upstreams:\n  a.example: { alias: library }',
      'library is the name of the official images',
    ],
    ['an alias of two components', 'upstreams:\n  a.example: { alias: a/b }', 'must be one component'],
    [
      'hosting official images',
      'hosted: [library/**]',
      'the pattern library/** covers names that mean the official images of Docker Hub',
    ],
    ['hosting everything', "hosted: ['**']", 'the pattern ** covers names that mean the official images of Docker Hub'],
    [
      'hosting every first component',
      "hosted: ['*/x']",
      'the pattern */x covers names that mean the official images of Docker Hub',
    ],
    [
      'hosting an upstream',
      'hosted: [ghcr.io/me/**]',
      'covers names that mean the upstream ghcr.io, and those cannot be hosted: let it start with another component than ghcr.io',
    ],
    [
      'hosting an alias',
      'hosted: [x/**]\nupstreams:\n  a.example: { alias: x }',
      'covers names that mean the upstream a.example, and those cannot be hosted: let it start with another component than x',
    ],
    [
      'a URL with a password',
      'upstreams:\n  a.example: { url: "https://u:canary@a.example" }',
      'must not carry a user name or password',
    ],
    [
      'a URL with a query',
      'upstreams:\n  a.example: { url: "https://a.example/?x=1" }',
      'must have no query and no fragment',
    ],
    [
      'a URL of another scheme',
      'upstreams:\n  a.example: { url: "file:///etc" }',
      'must be a URL with http:// or https://',
    ],
    [
      'a proxy that is no URL',
      'upstreams:\n  a.example: { proxy: canary }',
      'proxy: must be a URL with http:// or https://',
    ],
    ['a password alone', 'upstreams:\n  a.example: { password: canary }', 'password: needs a username'],
    [
      'a username alone',
      'upstreams:\n  a.example: { username: u }',
      'has a username, but neither password nor identityToken',
    ],
    ['a username with a colon', 'upstreams:\n  a.example: { username: "u:v", password: canary }', 'without a colon'],
    [
      'a credential without prefix',
      'upstreams:\n  a.example: { credentials: [{ identityToken: canary }] }',
      'credentials[0].prefix: is missing',
    ],
    [
      'a prefix twice',
      'upstreams:\n  a.example: { credentials: [{ prefix: a, identityToken: x }, { prefix: a, identityToken: y }] }',
      'credentials[1].prefix: stands here for the second time',
    ],
    [
      'credentials in the clear',
      `${plain}    username: u\n    password: canary`,
      'credentials would travel in the clear',
    ],
    ['a CA without TLS', `${plain}    ca: x.pem`, 'has no use where url is http://'],
    [
      'a CA that is not looked at',
      'upstreams:\n  a.example: { insecure: true, ca: /dev/null }',
      'contradicts insecure: true',
    ],
  ]
  test.each(wrong)('%s', (_, yaml, problem) => {
    const told = createHome().problems(yaml).join('\n')
    expect(told).toContain(problem)
    expect(told).toMatch(/^c\.yaml:\d+:\d+: /)
    expect(told).not.toContain('canary')
  })

  test.each([
    ['127.0.0.1:5000', 'http://localhost:5000'],
    ['127.0.0.1:5000', 'http://[::1]:5000/'],
    ['127.0.0.1:5000', 'https://127.1:5000'],
    ['127.0.0.1:5000', 'http://0.0.0.0:5000'],
    ['localhost:80', 'http://127.0.0.1'],
    ["'[::1]:443'", 'https://localhost.'],
    ["'[::]:5000'", 'http://127.9.9.9:5000'],
    ["'[::ffff:127.0.0.1]:5000'", 'http://127.0.0.1:5000'],
    ['Registry.Internal:5000', 'http://registry.internal:5000'],
    ['192.168.1.2:5000', 'http://192.168.1.2:5000'],
  ])('listening on %s, an upstream at %s', (listen, url) => {
    const yaml = `listen: ${listen}\nallowAnonymousLan: true\nupstreams:\n  a.example:\n    url: '${url}'`
    expect(createHome().problems(yaml)).toEqual([
      'c.yaml:5:5: upstreams."a.example".url: is where this daemon itself listens: it would ask itself without end',
    ])
  })

  test('an upstream that is called as we are, without a url', () => {
    expect(createHome().problems('upstreams:\n  localhost:5000: {}')).toEqual([
      'c.yaml:2:3: upstreams."localhost:5000".url: is where this daemon itself listens: it would ask itself without end',
    ])
  })

  test.each([
    ['127.0.0.1:5000', 'http://127.0.0.1:5001'],
    ['127.0.0.1:5000', 'http://a.example:5000'],
    ['127.0.0.1:0', 'http://127.0.0.1'],
    ['127.0.0.2:5000', 'http://127.0.0.1:5000'],
    ['unix:/run/e.sock', 'http://127.0.0.1:5000'],
    ['1.2.3.999:5000', 'http://127.0.0.1:5000'],
  ])('but listening on %s, no upstream at %s', (listen, url) => {
    const yaml = `listen: ${listen}\nallowAnonymousLan: true\nupstreams:\n  a.example: { url: '${url}' }`
    expect(upstreamOf(createHome().load(yaml), 'a.example').url.href).toBe(new URL(url).href)
  })

  test('an alias that is hosted by default, at the place of the alias', () => {
    const yaml = 'upstreams:\n  a.example:\n    alias: local\n'
    expect(createHome().problems(yaml)).toEqual([
      'c.yaml:3:5: upstreams."a.example".alias: local is a name that is hosted here by default (local/**): choose another, or say hosted without that pattern',
    ])
    expect(createHome().load(`${yaml}hosted: [charts/**]`).hosted).toEqual(['charts/**'])
  })

  test('credentials go without TLS to loopback, or where insecure says so', () => {
    const login = '    username: u\n    password: p\n'
    const home = createHome()
    expect(home.load(`upstreams:\n  a.example:\n    url: http://127.0.0.1:5001\n${login}`).upstreams).toHaveLength(10)
    expect(home.load(`${plain}${login}    insecure: true`).upstreams).toHaveLength(10)
  })
})
