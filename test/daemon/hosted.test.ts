/** Hosted and proxied repositories side by side, in the daemon as it is started. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { imageManifest, noise } from '../crash/content.ts'
import { createPusher } from '../crash/pushing.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, startEntrepot, temporaryFolder } from './entrepot.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(() => upstream.close())

const layer = noise('layer', 100_000)
const image = imageManifest([{ digest: digestOf(layer), size: layer.length }])

test.each([{}, { offline: true }])('a hosted name is asked of no upstream, whatever is asked (%o)', async (more) => {
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream, { defaultUpstream: 'up.example', ...more })
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  const url = `${daemon.url}/v2/charts/app`
  const absent = digestOf(Buffer.from('absent'))
  for (const path of ['manifests/1.0.0', 'manifests/1.x', `manifests/${absent}`, `blobs/${absent}`, 'tags/list']) {
    expect(await pull(`${url}/${path}`)).toMatchObject({ status: 404 })
  }
  const pusher = createPusher(url)
  expect(await pusher.blob(layer)).toBe(201)
  expect(await pusher.manifest('1.2.0', image)).toBe(201)
  for (const path of [
    'manifests/1.2.0',
    'manifests/1.x',
    'manifests/%5E1.0',
    `blobs/${digestOf(layer)}`,
    'tags/list',
  ]) {
    expect(await pull(`${url}/${path}`)).toMatchObject({ status: 200 })
  }
  expect(await pull(`${url}/referrers/${absent}`)).toMatchObject({ status: 200 })
  expect(await pusher.delete('manifests/1.2.0')).toBe(202)
  expect(await pull(`${url}/manifests/1.2.0`)).toMatchObject({ status: 404 })
  expect(upstream.calls).toEqual([])
  expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
})

test('a push to a proxied name is refused with the line that would make it hosted, and asks nobody', async () => {
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream, { defaultUpstream: 'up.example' })
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  for (const name of ['app', 'up.example/app', 'locals/app']) {
    const response = await fetch(`${daemon.url}/v2/${name}/blobs/uploads/`, { method: 'POST' })
    expect(response.status).toBe(405)
    expect(await response.text()).toContain('hosted:')
  }
  expect(upstream.calls).toEqual([])
})

test('what was pushed is there after a restart, together with what is half uploaded', async () => {
  const folder = await temporaryFolder()
  const house = { data: join(folder, 'data'), config: await configFor(folder, upstream) }
  const first = await startEntrepot(house)
  const pusher = createPusher(`${first.url}/v2/local/app`)
  expect(await pusher.blob(layer)).toBe(201)
  expect(await pusher.manifest('latest', image)).toBe(201)
  const begun = await fetch(`${first.url}/v2/local/app/blobs/uploads/`, { method: 'POST' })
  const { pathname } = new URL(begun.headers.get('location') ?? '', first.url)
  const bytes = noise('half', 200_000)
  await fetch(`${first.url}${pathname}`, { method: 'PATCH', body: Buffer.from(bytes.subarray(0, 70_000)) })
  expect(await first.stop()).toMatchObject({ code: 0, stderr: '' })

  const second = await startEntrepot(house)
  const again = createPusher(`${second.url}/v2/local/app`)
  expect(await again.tags()).toEqual(['latest'])
  expect(await pull(`${second.url}/v2/local/app/manifests/latest`)).toMatchObject({ status: 200, cache: 'hit' })
  expect(await again.arrived(pathname)).toBe(70_000)
  expect(await again.finish(pathname, bytes.subarray(70_000), digestOf(bytes))).toBe(201)
  expect(await pull(`${second.url}/v2/local/app/blobs/${digestOf(bytes)}`)).toMatchObject({ digest: digestOf(bytes) })
})
