import { describe, expect, test } from 'vitest'
import { looksLikeHost, parseHost, portAlias } from '../../src/oci/host.ts'

describe('a host', () => {
  test.each([
    ['docker.io', 'docker.io'],
    ['GHCR.io', 'ghcr.io'],
    ['docker.io:443', 'docker.io'],
    ['docker.io:80', 'docker.io:80'],
    ['localhost:5000', 'localhost:5000'],
    ['registry', 'registry'],
    ['10.0.0.1:5000', '10.0.0.1:5000'],
    ['[FD00::1]:443', '[fd00::1]'],
    ['x.example:65535', 'x.example:65535'],
  ])('%s is %s', (text, host) => {
    expect(parseHost(text)).toBe(host)
  })

  test.each([
    '',
    '.',
    'docker.io.',
    '.docker.io',
    'docker..io',
    '-x.example',
    'x-.example',
    'x_y.example',
    'x.example:',
    'x.example:0',
    'x.example:080',
    'x.example:65536',
    'x.example:99999999',
    'u@x.example',
    'https://x.example',
    'x.example/',
    'x example',
    'x.example\n',
    'fd00::1',
    '[::1',
    'dömain.example',
    `${'a.'.repeat(130)}example`,
  ])('%j is none', (text) => {
    expect(parseHost(text)).toBeUndefined()
  })
})

test('a first component is meant as a host where it has a dot or a colon, or is localhost', () => {
  expect(['a.b', 'a:1', 'localhost', 'LocalHost'].filter(looksLikeHost)).toHaveLength(4)
  expect(['a', 'library', 'a_b', 'localhosts'].filter(looksLikeHost)).toEqual([])
})

test('the colon of a port becomes a hyphen in a path', () => {
  expect(portAlias('reg.example:5000')).toBe('reg.example-5000')
  expect(portAlias('reg.example')).toBeUndefined()
  expect(portAlias('[::1]:5000')).toBeUndefined()
})
