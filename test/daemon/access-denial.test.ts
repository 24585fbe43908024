/** What a daemon tells of what somebody may not have: by bytes, by headers, by time, and by the uploads of others. */
import { writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { imageManifest, imageType, noise } from '../crash/content.ts'
import { ask, basic, cheapHash, type Reply } from '../registry/access/house.ts'
import { exchange } from '../registry/serve.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { startEntrepot, temporaryFolder } from './entrepot.ts'

const layer = noise('layer', 20_000).toString('hex')
const manifest = imageManifest([{ digest: digestOf(Buffer.from(layer)), size: layer.length }])
const absent = digestOf(Buffer.from('absent'))
const held = { blob: digestOf(Buffer.from(layer)), manifest: digestOf(Buffer.from(manifest)) }
const alice = basic('alice', 'of alice')
const bob = basic('bob', 'of bob')
const eve = basic('eve', 'of eve')

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
  upstream.putBlob('acme/full', layer)
  upstream.putManifest('acme/full', '1.2.3', manifest, imageType)
})
afterEach(() => upstream.close())

/** alice and bob may do everything, eve may push into `hosted/local/eve` alone; `full` has content, `none` has nothing. */
async function openHouse() {
  const folder = await temporaryFolder()
  const [htpasswd, config] = [join(folder, 'htpasswd'), join(folder, 'config.yaml')]
  const lines = ['alice', 'bob', 'eve'].map((user) => `${user}:${cheapHash(`of ${user}`)}\n`)
  await writeFile(htpasswd, lines.join(''), { mode: 0o600 })
  const rules = [
    { users: ['alice', 'bob'], repositories: ['**'], actions: ['pull', 'push', 'delete'] },
    { users: ['eve'], repositories: ['hosted/local/eve'], actions: ['pull', 'push'] },
  ]
  const upstreams = { 'up.example': { url: upstream.url } }
  await writeFile(config, JSON.stringify({ upstreams, dockerConfig: 'off', access: { htpasswd, rules } }))
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  return {
    async start() {
      const daemon = await startEntrepot({ data: join(folder, 'data'), config })
      const port = Number(new URL(daemon.url).port)
      const send = (method: string, path: string, headers: Record<string, string>, body = '') =>
        ask({ agent, port, method, path, headers }, body)
      return { daemon, port, send }
    },
  }
}

type Send = (method: string, path: string, headers: Record<string, string>, body?: string) => Promise<Reply>

async function fill(send: Send): Promise<void> {
  const type = { 'Content-Type': 'application/octet-stream' }
  const at = `/v2/local/full/blobs/uploads/?digest=${held.blob}`
  expect((await send('POST', at, { ...alice, ...type }, layer)).status).toBe(201)
  const put = await send('PUT', '/v2/local/full/manifests/1.2.3', { ...alice, 'Content-Type': imageType }, manifest)
  expect(put.status).toBe(201)
  for (const path of ['manifests/1.2.3', `blobs/${held.blob}`, 'tags/list'])
    expect((await send('GET', `/v2/up.example/acme/full/${path}`, alice)).status).toBe(200)
}

describe('a repository that may not be pulled', () => {
  const routes = [
    'manifests/1.2.3',
    'manifests/1.x',
    `manifests/${held.manifest}`,
    `blobs/${held.blob}`,
    'blobs/sha256:bad',
    'blobs/uploads/0123456789abcdef',
    'tags/list',
    'tags/list?n=1',
    '_entrepot/versions/resolve?range=1.x',
  ]
  const prefixes = ['/v2/local', '/local/v2', '/v2/up.example/acme', '/up.example/v2/acme', '/v2/acme']

  test('answers as one in which nothing is, byte for byte, whatever it is called', async () => {
    const { port, send } = await (await openHouse()).start()
    await fill(send)
    const raw = async (method: string, path: string, who: Record<string, string>) => {
      const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close']
      const answer = await exchange(port, [...lines, `Authorization: ${who['Authorization']}`, '', ''].join('\r\n'))
      return answer.raw
        .toString('latin1')
        .replace(/^Date: .*$/m, '')
        .replaceAll(/\b(full|none)\b/g, 'NAME')
    }
    for (const prefix of prefixes)
      for (const route of routes)
        for (const method of ['GET', 'HEAD']) {
          const ns = prefix === '/v2/acme' ? `${route.includes('?') ? '&' : '?'}ns=up.example` : ''
          const denied = await raw(method, `${prefix}/full/${route}${ns}`, eve)
          expect({ route, denied }).toEqual({ route, denied: await raw(method, `${prefix}/none/${route}${ns}`, alice) })
          expect(denied).toMatch(/^HTTP\/1\.1 40[04] /)
        }
  })

  test(
    'takes no longer where there is something: neither to be read nor to be mounted',
    { timeout: 60_000 },
    async () => {
      const { send } = await (await openHouse()).start()
      await fill(send)
      const mount = (digest: string) => `/v2/local/eve/blobs/uploads/?mount=${digest}&from=up.example/acme/full`
      const pairs: [string, (digest: string) => string, number][] = [
        ['GET', (digest) => `/v2/up.example/acme/full/blobs/${digest}`, 404],
        ['HEAD', (digest) => `/v2/local/full/blobs/${digest}`, 404],
        ['POST', mount, 202],
      ]
      for (const [method, path, status] of pairs) {
        const times = { held: [] as number[], absent: [] as number[] }
        for (let round = 0; round < 150; round += 1)
          for (const [which, digest] of [
            ['held', held.blob],
            ['absent', absent],
          ] as const) {
            const since = performance.now()
            const reply = await send(method, path(digest), eve)
            times[which].push(performance.now() - since)
            expect(reply.status).toBe(status)
            if (method === 'POST') await send('DELETE', reply.headers['location'] ?? '', eve)
          }
        const ratio = median(times.held) / median(times.absent)
        expect([method, ratio > 0.67 && ratio < 1.5]).toEqual([method, true])
      }
    },
  )
})

describe('an upload', () => {
  test('is nobody else’s, whatever they may do, also after a restart', async () => {
    const house = await openHouse()
    const first = await house.start()
    const { headers } = await first.send('POST', '/v2/local/app/blobs/uploads/', alice)
    const location = headers['location'] ?? ''
    const type = { 'Content-Type': 'application/octet-stream' }
    expect((await first.send('PATCH', location, { ...alice, ...type }, 'her ')).status).toBe(202)
    const digest = digestOf(Buffer.from('her bytes'))
    const finish = `${location}?digest=${digest}`

    async function refusals(send: Send): Promise<number[]> {
      const asked: Promise<Reply>[] = []
      for (const who of [bob, eve, {}])
        asked.push(
          send('GET', location, who),
          send('PATCH', location, { ...who, ...type }, 'his '),
          send('PUT', finish, { ...who, ...type }, 'bytes'),
          send('DELETE', location, who),
        )
      return (await Promise.all(asked)).map(({ status }) => status)
    }
    const all = [404, 404, 404, 404, 404, 404, 404, 404, 401, 401, 401, 401]
    expect(await refusals(first.send)).toEqual(all)
    expect(await first.daemon.stop()).toMatchObject({ code: 0 })

    const second = await house.start()
    expect(await refusals(second.send)).toEqual(all)
    expect((await second.send('GET', location, alice)).headers['range']).toBe('0-3')
    expect((await second.send('PUT', finish, { ...alice, ...type }, 'bytes')).status).toBe(201)
    expect((await second.send('GET', `/v2/local/app/blobs/${digest}`, alice)).body).toBe('her bytes')
  })
})

/** Lines of a head, and what a stranger gets for them, or whoever tries to be somebody else. */
const knocks: [string, number][] = [
  ['GET /v2 HTTP/1.1', 401],
  ['GET /v2/ HTTP/1.1', 401],
  ['GET /x/v2/ HTTP/1.1', 401],
  ['GET /v2/_catalog HTTP/1.1', 404],
  ['GET /v2/_oci/ext/discover HTTP/1.1', 401],
  ['GET /v2/local/full/_oci/ext/discover HTTP/1.1', 401],
  ['GET /v2/local/full/_entrepot/versions/resolve?range=1.x HTTP/1.1', 401],
  ['GET /v2/local%2Ffull/tags/list HTTP/1.1', 401],
  ['GET /local/v2/full/tags/list HTTP/1.1', 401],
  ['GET http://localhost/v2/local/full/tags/list HTTP/1.1', 401],
  ['GET /v2/LOCAL/full/tags/list HTTP/1.1', 400],
  ['GET /v2/local/../local/full/tags/list HTTP/1.1', 400],
  ['TRACE /v2/local/full/tags/list HTTP/1.1', 401],
  ['OPTIONS /v2/local/full/tags/list HTTP/1.1', 401],
  ['PROPFIND /v2/ HTTP/1.1', 401],
  ['GET /v2/local/full/tags/list HTTP/1.1\r\nOrigin: https://evil.example', 403],
  ['GET /v2/local/full/tags/list HTTP/1.1\r\nSec-Fetch-Site: cross-site', 403],
  ['GET /v2/local/full/tags/list HTTP/1.1\r\nX-Forwarded-User: alice', 401],
  [`GET /v2/ HTTP/1.1\r\nAuthorization: ${alice['Authorization']}\r\nAuthorization: ${bob['Authorization']}`, 401],
  [`GET /v2/ HTTP/1.1\r\nAuthorization: Bearer ${'x'.repeat(8_000)}`, 401],
  [`GET /v2/ HTTP/1.1\r\nAuthorization: Basic ${'x'.repeat(40_000)}`, 431],
  [`GET /v2/ HTTP/1.1\r\nProxy-Authorization: ${alice['Authorization']}`, 401],
  [`GET /v2/ HTTP/1.1\r\nAuthorization: bASIC  ${alice['Authorization']?.slice(6)}`, 200],
]

test('whoever has not signed in gets in nowhere, by no spelling of a path, a method or a header', async () => {
  const { port, send } = await (await openHouse()).start()
  await fill(send)
  const answers: [string, number][] = []
  for (const [lines] of knocks) {
    const answer = await exchange(port, `${lines}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect(answer.body.toString()).not.toMatch(/1\.2\.3|sha256/)
    answers.push([lines, answer.status])
  }
  expect(answers).toEqual(knocks)
})

function median(times: number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN
}
