import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import type { Handler } from '../support/scripted-registry.ts'
import { drainBlob, openHouse, tag } from './house.ts'

const callTime = 400
const silent: Handler = async (request) => void (await once(request.socket, 'close').catch(() => undefined))

async function timeOf(work: Promise<unknown>): Promise<number> {
  const before = performance.now()
  await expect(work).rejects.toMatchObject({ trouble: 'unreachable' })
  return performance.now() - before
}

describe('an upstream that is silent', () => {
  it('costs each question its one time, however many calls it takes', async () => {
    const house = await openHouse({ callTime })
    house.registry.misbehave({}, silent)
    const repository = house.repository('app')
    const digest = digestOf(Buffer.from('x'))
    const times = await Promise.all([
      timeOf(repository.blob(digest)),
      timeOf(repository.stat(digest)),
      timeOf(repository.manifest({ digest })),
      timeOf(repository.manifest(tag('1.0'))),
      timeOf(repository.tags()),
      timeOf(repository.referrers(digest)),
    ])
    for (const time of times) expect(time).toBeLessThan(1.6 * callTime)
  })

  it('costs a second repository that time once, for the HEAD of what is kept and its own transfer together', async () => {
    const house = await openHouse({ callTime })
    const body = randomBytes(50_000)
    const digest = house.registry.putBlob('app', body)
    await drainBlob(await house.repository('app').blob(digest))
    await expect.poll(() => house.repository('app').stat(digest)).toMatchObject({ cache: 'hit' })
    house.registry.misbehave({}, silent)
    expect(await timeOf(house.repository('two').blob(digest))).toBeLessThan(1.6 * callTime)
  })

  it('costs one that would join a download that time once, too', async () => {
    const house = await openHouse({ callTime })
    const body = randomBytes(200_000)
    const digest = house.registry.putBlob('app', body)
    house.registry.misbehave({ method: 'GET', path: /app\/blobs/ }, (_request, response) => {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, 100_000))
    })
    house.registry.misbehave({ path: /two\/blobs/ }, silent)
    const first = await house.repository('app').blob(digest)
    expect(await timeOf(house.repository('two').blob(digest))).toBeLessThan(1.6 * callTime)
    await first?.bytes.close()
  })
})
