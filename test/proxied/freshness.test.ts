import { describe, expect, it } from 'vitest'
import { type Kept, freshnessTable, type Said } from '../../src/proxied/freshness.ts'
import type { Manifest } from '../../src/repository/repository.ts'
import { digest, drainBlob, type House, openHouse, pushImage, tag } from './house.ts'
import type { Handler } from '../support/scripted-registry.ts'

const answering =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end()

/** How each row of the table comes about. */
const upstreamSays: Record<Exclude<Said, 'offline'>, Handler> = {
  gone: answering(404),
  denied: answering(403),
  limited: answering(429, { 'retry-after': '1' }),
  unreachable: (request) => void request.socket.destroy(),
  wrong: answering(200, { 'content-type': 'text/html' }),
}

async function houseWith(kept: Kept, options: Parameters<typeof openHouse>[0] = {}): Promise<House> {
  const house = await openHouse({ deadline: 2_000, ...options })
  const pushed = pushImage(house.registry, 'app', '1.0', Buffer.from('layer'))
  if (kept === 'nothing') return house
  const online = house.proxied({ offline: false })('app')
  await online.manifest(tag('1.0'))
  const facts = JSON.parse(pushed.bytes.toString())
  const blobs = kept === 'complete' ? [facts.config, ...facts.layers] : [facts.config]
  for (const blob of blobs) await drainBlob(await online.blob(digest(blob.digest)))
  for (const blob of blobs) await expect.poll(() => house.catalog.blob(digest(blob.digest))).toBeDefined()
  house.pass(61_000)
  return house
}

/** What a client sees, in one word. */
async function seen(asked: Promise<Manifest | undefined>): Promise<string> {
  try {
    const manifest = await asked
    return manifest ? (manifest.warning ? 'stale with a warning' : 'served') : 'absent'
  } catch (error) {
    return String((error as { status?: number }).status)
  }
}

const expected: Record<Said, Record<Kept, string>> = {
  gone: { complete: 'stale with a warning', incomplete: 'stale with a warning', nothing: 'absent' },
  denied: { complete: 'stale with a warning', incomplete: 'stale with a warning', nothing: '403' },
  limited: { complete: 'stale with a warning', incomplete: 'stale with a warning', nothing: '429' },
  unreachable: { complete: 'stale with a warning', incomplete: '504', nothing: '502' },
  wrong: { complete: 'stale with a warning', incomplete: 'stale with a warning', nothing: '502' },
  offline: { complete: 'served', incomplete: '404', nothing: '404' },
}

describe('the freshness table', () => {
  for (const said of Object.keys(freshnessTable) as Said[]) {
    for (const kept of Object.keys(freshnessTable[said]) as Kept[]) {
      it(`${said}, ${kept} kept: ${expected[said][kept]}`, async () => {
        const house = await houseWith(kept, { offline: said === 'offline' })
        const before = house.registry.calls.length
        if (said !== 'offline') house.registry.misbehave({}, upstreamSays[said])
        expect(await seen(house.repository('app').manifest(tag('1.0')))).toBe(expected[said][kept])
        const calls = house.registry.calls.length - before
        if (said === 'offline') expect(calls).toBe(0)
        else expect(calls).toBeGreaterThan(0)
      })
    }
  }

  it('follows an upstream that no longer has a tag where onUpstreamGone says so', async () => {
    const house = await houseWith('complete', { onUpstreamGone: 'follow' })
    house.registry.misbehave({}, upstreamSays.gone)
    expect(await seen(house.repository('app').manifest(tag('1.0')))).toBe('absent')
  })

  it('follows an upstream that refuses where onUpstreamDenied says so', async () => {
    const house = await houseWith('complete', { onUpstreamDenied: 'follow' })
    house.registry.misbehave({}, upstreamSays.denied)
    expect(await seen(house.repository('app').manifest(tag('1.0')))).toBe('403')
  })

  it('does not ask again for 10 s after a refresh that failed', async () => {
    const house = await houseWith('complete')
    const stop = house.registry.misbehave({}, upstreamSays.denied)
    await house.repository('app').manifest(tag('1.0'))
    const before = house.registry.calls.length
    await house.repository('app').manifest(tag('1.0'))
    expect(house.registry.calls.length).toBe(before)
    stop()
    house.pass(10_001)
    expect(await seen(house.repository('app').manifest(tag('1.0')))).toBe('served')
  })
})
