/** Version ranges by the daemon as it is started: configuration, names of repositories, a restart, offline. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { imageType, pushImage } from '../proxied/house.ts'
import { startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'

const tags = ['1.2.0', '1.9.0', '2.0.0-rc.1']

async function ask(daemon: Entrepot, path: string) {
  const answer = await fetch(`${daemon.url}${path}`)
  const body = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, tag: answer.headers.get('entrepot-resolved-tag'), headers: answer.headers, body }
}

test('each upstream has its setting, each repository its profile, by every spelling of its name', async () => {
  const upstream = await startScriptedRegistry()
  for (const name of ['library/app', 'org/charts/app'])
    for (const tag of tags) pushImage(upstream, name, tag, Buffer.from(tag))
  const folder = await temporaryFolder()
  const { url } = upstream
  const config = await configFor(folder, upstream, {
    versionRanges: 'partials',
    upstreams: {
      'up.example': { url, alias: 'up' },
      'off.example': { url, versionRanges: 'off' },
      'on.example': { url, versionRanges: 'on' },
    },
    profiles: { '*/org/charts/**': 'helm' },
    defaultUpstream: 'up.example',
  })
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })

  const partial = [
    '/v2/library/app/manifests/1',
    '/v2/up/library/app/manifests/1',
    '/up.example/v2/library/app/manifests/1',
  ]
  for (const path of [...partial, '/v2/library/app/manifests/1?ns=up.example'])
    expect(await ask(daemon, path)).toMatchObject({ status: 200, tag: '1.9.0' })
  expect(await ask(daemon, '/v2/on.example/library/app/manifests/1.x')).toMatchObject({ status: 200, tag: '1.9.0' })
  expect(await ask(daemon, '/v2/on.example/library/app/manifests/1')).toMatchObject({ status: 404 })
  expect(await ask(daemon, '/v2/off.example/library/app/manifests/1.x')).toMatchObject({ status: 404 })

  const prerelease = '_entrepot/versions/resolve?range=%3E%3D1.2.0-0'
  const profileOf = async (path: string) => JSON.parse((await ask(daemon, path)).body.toString())
  expect(await profileOf(`/v2/org/charts/app/${prerelease}`)).toMatchObject({ profile: 'helm', tag: '2.0.0-rc.1' })
  const named = `/on.example/v2/library/app/${prerelease}&profile=flux&ns=on.example`
  expect(await profileOf(named)).toMatchObject({ profile: 'flux', tag: '2.0.0-rc.1' })
  expect(await profileOf('/v2/library/app/_entrepot/versions/resolve?range=1')).toMatchObject({ profile: 'image' })
  expect(await ask(daemon, `/v2/nowhere.example/app/${prerelease}`)).toMatchObject({ status: 404 })
  expect(await ask(daemon, `/v2/charts/app/${prerelease}`)).toMatchObject({ status: 404 })
  await daemon.stop()
  await upstream.close()
})

test('after a restart with the upstream gone, and offline, what was pulled whole is what a range means', async () => {
  const upstream = await startScriptedRegistry()
  for (const tag of tags) pushImage(upstream, 'library/app', tag, Buffer.from(tag))
  const folder = await temporaryFolder()
  const config = await configFor(folder, upstream, { listsFreshFor: '1ms', freshFor: '1ms' })
  const base = '/v2/up.example/library/app'
  const data = join(folder, 'data')
  const first = await startEntrepot({ data, config })
  const manifest = JSON.parse((await ask(first, `${base}/manifests/1.2.0`)).body.toString())
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const cacheOf = async () => (await ask(first, `${base}/blobs/${digest}`)).headers.get('entrepot-cache')
    await expect.poll(cacheOf).toBe('hit')
  }
  expect(await ask(first, `${base}/manifests/1.x`)).toMatchObject({ status: 200, tag: '1.9.0' })
  await first.stop()
  await upstream.close()

  const alone = await startEntrepot({ data, config })
  const answer = await ask(alone, `${base}/manifests/1.x`)
  expect(answer).toMatchObject({ status: 200, tag: '1.2.0' })
  expect(answer.headers.get('content-type')).toBe(imageType)
  expect(answer.headers.get('warning')).toContain('1.9.0 matches and is not kept whole, 1.2.0 is')
  await alone.stop()

  const offline = await startEntrepot({ data, config, args: ['--offline'] })
  expect(await ask(offline, `${base}/manifests/1.x`)).toMatchObject({ status: 200, tag: '1.2.0' })
  const list = await ask(offline, `${base}/tags/list?range=1.x`)
  expect(JSON.parse(list.body.toString()).tags).toEqual(['1.2.0'])
  expect(await ask(offline, `${base}/manifests/2.x`)).toMatchObject({ status: 404 })
  await offline.stop()
})
