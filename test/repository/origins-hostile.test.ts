import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OciError } from '../../src/oci/errors.ts'
import { createOrigins } from '../../src/repository/origins.ts'
import { patterns, silentRepository } from './support.ts'

const known = ['docker.io', 'ghcr.io', 'reg.example:5000']

interface Outcome {
  /** Upstream and name, where something was opened. */
  opened?: string
  refusal?: OciError
}

function ask(path: string, ns?: string): Outcome {
  const outcome: Outcome = {}
  const origins = createOrigins({
    upstreams: known.map((name) => ({ name, otherNames: name === 'docker.io' ? ['index.docker.io'] : [] })),
    defaultUpstream: 'docker.io',
    hosted: patterns('local/**'),
    names: [],
    port: 5000,
    openProxied(upstream, name) {
      outcome.opened = `${upstream.name} ${name}`
      return silentRepository
    },
    openHosted(name) {
      outcome.opened = `hosted ${name}`
      return silentRepository
    },
  })
  try {
    origins.resolve(path, ns)
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    outcome.refusal = error
  }
  return outcome
}

/** Nobody was asked, and the client is told so in a short sentence that could stand in any log. */
function isRefused({ opened, refusal }: Outcome): boolean {
  if (opened !== undefined || !refusal) return false
  const { status, detail } = refusal
  return [400, 404].includes(status) && /^[\x20-\x7e]{20,600}$/.test(detail)
}

const targets = [
  'evil.example',
  'docker.io.evil.example',
  'docker.io-evil.example',
  'xdocker.io',
  'ghcr.io.',
  '127.0.0.1',
  '169.254.169.254',
  '10.0.0.1',
  '0.0.0.0',
  '0x7f.1',
  '0177.0.0.1',
  '2130706433.x',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[fd00::1]',
  'localhost',
  'LOCALHOST',
  'metadata.google.internal',
  'xn--dcker-jua.io',
  'döcker.io',
  'docker。io',
  'ԁocker.io',
  'docker.io\u0000',
  'docker.io\r\nhost: x',
  'docker.io%00',
  'docker%2eio',
  '.docker.io',
  'docker..io',
  '-docker.io',
  'reg.example',
]
const shapes: ((host: string) => string)[] = [
  (host) => host,
  (host) => `${host}:80`,
  (host) => `${host}:5001`,
  (host) => `${host}:99999`,
  (host) => `${host}:`,
  (host) => `user@${host}`,
  (host) => `docker.io@${host}`,
  (host) => `https://${host}`,
  (host) => `${host}#docker.io`,
  (host) => `${host}?docker.io`,
]
const corpus = targets.flatMap((host) => shapes.map((shape) => shape(host)))

describe('a corpus of hostile hosts opens nothing', () => {
  test('the corpus has 300 of them', () => {
    expect(new Set(corpus).size).toBe(300)
  })

  test('as ns', () => {
    const taken = corpus.filter((host) => !isRefused(ask('library/alpine', host)) || !isRefused(ask('alpine', host)))
    expect(taken).toEqual([])
  })

  test('as a prefix', () => {
    const taken = corpus.filter(
      (host) => !isRefused(ask(`${host}/library/alpine`)) || !isRefused(ask(`${host}/alpine`)),
    )
    expect(taken).toEqual([])
  })

  test('as a name at Docker Hub', () => {
    const taken = corpus.filter(
      (host) => !isRefused(ask(`docker.io/${host}/alpine`)) || !isRefused(ask(`${host}/alpine`, 'docker.io')),
    )
    expect(taken).toEqual([])
  })
})

describe('whatever is asked', () => {
  const anyHost = fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.ipV4(), fc.ipV6(), fc.webAuthority())

  test('an ns that is not configured opens nothing', () => {
    const ns = anyHost.filter((host) => !known.includes(host.toLowerCase()) && !/^localhost:/i.test(host))
    const property = fc.property(ns, (host) => isRefused(ask('library/alpine', host)))
    expect(() => fc.assert(property, { numRuns: 2000 })).not.toThrow()
  })

  test('a first component that looks like a host and is not configured opens nothing', () => {
    const prefix = anyHost.filter((host) => /^[^/]*[.:]/.test(host) && !known.includes(host.toLowerCase()))
    const property = fc.property(prefix, fc.constantFrom('app', 'library/alpine', 'a/b/c'), (host, rest) =>
      isRefused(ask(`${host}/${rest}`)),
    )
    expect(() => fc.assert(property, { numRuns: 2000 })).not.toThrow()
  })

  test('what is opened is a configured upstream, and a name that it could have', () => {
    const component = fc.oneof(fc.constantFrom(...known, 'local', 'library', 'a', 'reg.example-5000'), fc.string())
    const path = fc.array(component, { maxLength: 5 }).map((components) => components.join('/'))
    const ns = fc.option(fc.oneof(fc.constantFrom(...known), anyHost), { nil: undefined })
    const openings = fc
      .sample(fc.tuple(path, ns), 5000)
      .map(([asked, host]) => ask(asked, host).opened)
      .filter((opened) => opened !== undefined)
    expect(openings.length).toBeGreaterThan(100)
    const hub = /^docker\.io (?:[a-z0-9]+[_-]*)+\//
    const others = /^(?:ghcr\.io|reg\.example:5000) [a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/
    const hosted = /^hosted local\/[a-z0-9]/
    expect(openings.filter((opened) => !hub.test(opened) && !others.test(opened) && !hosted.test(opened))).toEqual([])
  })
})
