import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConnector } from '../../src/upstream/connector.ts'
import type { Resolve } from '../../src/upstream/dial.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { caught } from './caught.ts'

let sink: ScriptedRegistry
const open: { close(): Promise<void> }[] = []

beforeEach(async () => {
  sink = await startScriptedRegistry()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await sink.close()
})

async function ask(url: string, options: { privateHosts?: string[]; resolve?: Resolve } = {}): Promise<number> {
  const connector = createConnector({
    upstream: 'registry.test',
    privateHosts: [],
    connectTimeout: 300,
    resolve: async () => ['127.0.0.1'],
    ...options,
  })
  open.push(connector)
  const signal = new AbortController().signal
  const response = await connector.metadata({ method: 'GET', url: new URL(url), headers: {}, signal })
  response.discard()
  return response.status
}

const to =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses

const toNowhere: Resolve = async () => {
  throw Object.assign(new Error('no such host'), { code: 'ENOTFOUND' })
}

describe('the address that is dialled', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '0x7f.1',
    '0177.0.0.1',
    '2130706433',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    'x.test',
  ])('is refused for %s unless the configuration names it', async (host) => {
    const error = await caught(ask(`http://${host}:${sink.port}/v2/`))
    expect(error.trouble).toBe('wrong')
    expect(error.detail).toContain('redirectHosts')
    expect(sink.connections()).toBe(0)
  })

  it('is allowed to be private where host and port are named', async () => {
    expect(await ask(`http://x.test:${sink.port}/v2/`, { privateHosts: [`X.test:${sink.port}`] })).toBe(200)
  })

  it('is refused on another port of a named host', async () => {
    await caught(ask(`http://x.test:${sink.port}/v2/`, { privateHosts: ['x.test', 'x.test:1'] }))
    expect(sink.connections()).toBe(0)
  })

  it('is refused for a name that resolves to private addresses of both families', async () => {
    await caught(ask(`http://x.test:${sink.port}/v2/`, { resolve: to('::ffff:127.0.0.1', 'fe80::1', '127.0.0.1') }))
    expect(sink.connections()).toBe(0)
  })

  it('is refused for a name that has public addresses too', async () => {
    const asked = ask(`http://x.test:${sink.port}/v2/`, { resolve: to('1.1.1.1', '2606:4700::1111', '127.0.0.1') })
    expect(await caught(asked)).toMatchObject({ trouble: 'wrong' })
    expect(sink.connections()).toBe(0)
  })

  it('is looked at on every connection, so that a second answer of the resolver is filtered too', async () => {
    let asked = 0
    const resolve: Resolve = async () => {
      asked += 1
      return ['127.0.0.1']
    }
    await caught(ask(`http://x.test:${sink.port}/v2/`, { resolve }))
    await caught(ask(`http://x.test:${sink.port}/v2/`, { resolve }))
    expect(asked).toBe(2)
    expect(sink.connections()).toBe(0)
  })
})

describe('a name that cannot be resolved', () => {
  it('is unreachable', async () => {
    const error = await caught(ask('http://x.test/v2/', { resolve: toNowhere }))
    expect(error).toMatchObject({ trouble: 'unreachable', status: 502 })
    expect(error.detail).toContain('DNS')
  })

  it('is unreachable after the connect timeout when the resolver is silent', async () => {
    const error = await caught(ask('http://x.test/v2/', { resolve: () => new Promise(() => undefined) }))
    expect(error).toMatchObject({ trouble: 'unreachable', status: 504 })
  })
})
