import { describe, expect, test } from 'vitest'
import { OciError } from '../../src/oci/errors.ts'
import type { RepositoryName } from '../../src/oci/name.ts'
import { createOrigins, type OriginUpstream, type Origins } from '../../src/repository/origins.ts'
import { patterns, silentRepository } from './support.ts'

const upstreams: OriginUpstream[] = [
  { name: 'docker.io', alias: 'hub', otherNames: ['index.docker.io', 'registry-1.docker.io'] },
  { name: 'ghcr.io', otherNames: [] },
  { name: 'reg.example:5000', alias: 'example', otherNames: [] },
  { name: '[fd00::1]:5000', alias: 'six', otherNames: [] },
  { name: 'localhost:5001', otherNames: [] },
]

function createTestOrigins(defaultUpstream = 'docker.io') {
  const opened: [string, RepositoryName][] = []
  const origins = createOrigins({
    upstreams,
    defaultUpstream,
    hosted: patterns('local/**', 'charts/*', 'a/**/z'),
    names: ['registry.internal', 'cache.internal:8443'],
    port: 5000,
    openProxied(upstream, name) {
      opened.push([upstream.name, name])
      return silentRepository
    },
    openHosted(name) {
      opened.push(['hosted', name])
      return silentRepository
    },
  })
  return { origins, opened }
}

function failure(origins: Origins, path: string, ns?: string): OciError {
  try {
    origins.resolve(path, ns)
  } catch (error) {
    if (error instanceof OciError) return error
    throw error
  }
  throw new Error(`${path} was resolved`)
}

describe('all spellings of one repository give one key', () => {
  const spellings: [key: string, path: string, ns?: string][] = [
    ['docker.io/library/alpine', 'alpine'],
    ['docker.io/library/alpine', 'library/alpine'],
    ['docker.io/library/alpine', 'docker.io/alpine'],
    ['docker.io/library/alpine', 'docker.io/library/alpine'],
    ['docker.io/library/alpine', 'Docker.IO/library/alpine'],
    ['docker.io/library/alpine', 'docker.io:443/library/alpine'],
    ['docker.io/library/alpine', 'index.docker.io/library/alpine'],
    ['docker.io/library/alpine', 'registry-1.docker.io/alpine'],
    ['docker.io/library/alpine', 'INDEX.docker.io:443/alpine'],
    ['docker.io/library/alpine', 'hub/alpine'],
    ['docker.io/library/alpine', 'alpine', 'docker.io'],
    ['docker.io/library/alpine', 'library/alpine', 'docker.io'],
    ['docker.io/library/alpine', 'library/alpine', 'DOCKER.io'],
    ['docker.io/library/alpine', 'library/alpine', 'docker.io:443'],
    ['docker.io/library/alpine', 'library/alpine', 'index.docker.io'],
    ['docker.io/library/alpine', 'library/alpine', 'registry-1.docker.io'],
    ['docker.io/library/alpine', 'docker.io/library/alpine', 'docker.io'],
    ['docker.io/library/alpine', 'index.docker.io/library/alpine', 'docker.io:443'],
    ['docker.io/library/alpine', 'hub/library/alpine', 'docker.io'],
    ['docker.io/library/alpine', 'alpine', 'localhost:5000'],
    ['docker.io/library/alpine', 'docker.io/alpine', '127.0.0.1:5000'],
    ['docker.io/library/alpine', 'alpine', '[::1]:5000'],
    ['docker.io/library/alpine', 'alpine', 'registry.internal'],
    ['docker.io/library/alpine', 'alpine', 'Registry.Internal:443'],
    ['docker.io/library/alpine', 'alpine', 'registry.internal:5000'],
    ['docker.io/library/alpine', 'alpine', 'cache.internal:8443'],
    ['docker.io/grafana/loki', 'grafana/loki'],
    ['docker.io/grafana/loki', 'docker.io/grafana/loki'],
    ['ghcr.io/org/app', 'ghcr.io/org/app'],
    ['ghcr.io/org/app', 'GHCR.io:443/org/app'],
    ['ghcr.io/org/app', 'org/app', 'ghcr.io'],
    ['ghcr.io/org/app', 'org/app', 'ghcr.io:443'],
    ['ghcr.io/org/app', 'ghcr.io/org/app', 'GHCR.IO'],
    ['ghcr.io/app', 'ghcr.io/app'],
    ['ghcr.io/app', 'app', 'ghcr.io'],
    ['reg.example:5000/a/b/c/d/e', 'reg.example:5000/a/b/c/d/e'],
    ['reg.example:5000/a/b/c/d/e', 'reg.example-5000/a/b/c/d/e'],
    ['reg.example:5000/a/b/c/d/e', 'example/a/b/c/d/e'],
    ['reg.example:5000/a/b/c/d/e', 'a/b/c/d/e', 'reg.example:5000'],
    ['reg.example:5000/a/b/c/d/e', 'a/b/c/d/e', 'Reg.Example:5000'],
    ['reg.example:5000/a/b/c/d/e', 'reg.example-5000/a/b/c/d/e', 'reg.example:5000'],
    ['[fd00::1]:5000/app', '[FD00::1]:5000/app'],
    ['[fd00::1]:5000/app', 'six/app'],
    ['[fd00::1]:5000/app', 'app', '[fd00::1]:5000'],
    ['localhost:5001/app', 'localhost-5001/app'],
    ['localhost:5001/app', 'app', 'localhost:5001'],
    ['ghcr.io/local/app', 'ghcr.io/local/app'],
    ['ghcr.io/local/app', 'local/app', 'ghcr.io'],
    ['ghcr.io/dotted.org/app', 'dotted.org/app', 'ghcr.io'],
    ['ghcr.io/manifests/blobs/tags', 'ghcr.io/manifests/blobs/tags'],
  ]
  test.each(spellings)('%s: %s (ns %s)', (key, path, ns) => {
    const { origins, opened } = createTestOrigins()
    expect(origins.resolve(path, ns)).toMatchObject({ key, proxied: true, repository: silentRepository })
    const [[upstream, name] = []] = opened
    expect(`${upstream}/${name}`).toBe(key)
  })
})

test('the host that decided is told back as it was written', () => {
  const { origins } = createTestOrigins()
  expect(origins.resolve('alpine', 'Index.Docker.io')).toHaveProperty('namespace', 'Index.Docker.io')
})

test('a host of our own decides nothing and is not told back', () => {
  const { origins } = createTestOrigins()
  expect(origins.resolve('alpine', 'localhost:5000')).not.toHaveProperty('namespace')
})

test('without ns nothing is told back', () => {
  expect(createTestOrigins().origins.resolve('ghcr.io/a', undefined)).not.toHaveProperty('namespace')
})

test('only Docker Hub has a library', () => {
  const { origins } = createTestOrigins('ghcr.io')
  expect(origins.resolve('alpine', undefined).key).toBe('ghcr.io/alpine')
  expect(origins.resolve('docker.io/alpine', undefined).key).toBe('docker.io/library/alpine')
})

describe('hosted names are asked of nobody', () => {
  test.each(['local/app', 'local/a/b/c', 'charts/app', 'a/b/z', 'a/b/c/z'])('%s', (path) => {
    const { origins, opened } = createTestOrigins()
    for (const ns of [undefined, 'localhost:5000']) {
      expect(origins.resolve(path, ns)).toMatchObject({ key: `hosted/${path}`, name: path, proxied: false })
    }
    expect(opened).toEqual([
      ['hosted', path],
      ['hosted', path],
    ])
  })

  test.each(['local', 'charts/a/b', 'a/z', 'locals/app'])('%s is not one of them', (path) => {
    expect(createTestOrigins().origins.resolve(path, undefined).proxied).toBe(true)
  })
})

describe('what is refused before anybody is asked', () => {
  const refused: [path: string, ns: string | undefined, code: string, detail: string][] = [
    ['evil.example/app', undefined, 'NAME_UNKNOWN', 'evil.example is not an upstream'],
    ['evil.example:5000/app', undefined, 'NAME_UNKNOWN', 'evil.example:5000 is not an upstream'],
    ['localhost/app', undefined, 'NAME_UNKNOWN', 'localhost is not an upstream'],
    ['localhost:5000/app', undefined, 'NAME_UNKNOWN', 'localhost:5000 is not an upstream'],
    ['reg.example/app', undefined, 'NAME_UNKNOWN', 'reg.example is not an upstream'],
    ['ghcr.io:80/app', undefined, 'NAME_UNKNOWN', 'ghcr.io:80 is not an upstream'],
    ['169.254.169.254/app', undefined, 'NAME_UNKNOWN', '169.254.169.254 is not an upstream'],
    ['docker.io/evil.example/app', undefined, 'NAME_UNKNOWN', 'evil.example is not an upstream'],
    ['evil.example/app', 'docker.io', 'NAME_UNKNOWN', 'evil.example is not an upstream'],
    ['app', 'evil.example', 'NAME_UNKNOWN', 'evil.example is not an upstream'],
    ['app', 'localhost:5002', 'NAME_UNKNOWN', 'localhost:5002 is not an upstream'],
    ['app', 'cache.internal', 'NAME_UNKNOWN', 'cache.internal is not an upstream'],
    ['app', 'example', 'NAME_UNKNOWN', 'example is not an upstream'],
    ['app', 'docker.io.', 'NAME_UNKNOWN', 'is no host'],
    ['app', '', 'NAME_UNKNOWN', 'is no host'],
    ['ghcr.io/org/app', 'docker.io', 'NAME_INVALID', 'use one of them'],
    ['example/app', 'docker.io', 'NAME_INVALID', 'use one of them'],
    ['ghcr.io', undefined, 'NAME_INVALID', 'ghcr.io, but no repository there'],
    ['example', undefined, 'NAME_INVALID', 'reg.example:5000, but no repository there'],
    ['ghcr.io/', undefined, 'NAME_INVALID', 'no repository there'],
    ['ghcr.io//app', undefined, 'NAME_INVALID', 'name is not one'],
    ['ghcr.io/App', undefined, 'NAME_INVALID', 'name is not one'],
    ['', undefined, 'NAME_INVALID', 'name is not one'],
    ['App', undefined, 'NAME_INVALID', 'name is not one'],
    ['../app', undefined, 'NAME_INVALID', 'name is not one'],
    ['a'.repeat(256), undefined, 'NAME_INVALID', 'name is not one'],
  ]
  test.each(refused)('%s (ns %s): %s', (path, ns, code, detail) => {
    const { origins, opened } = createTestOrigins()
    expect(failure(origins, path, ns)).toMatchObject({ code, detail: expect.stringContaining(detail) })
    expect(opened).toEqual([])
  })
})
