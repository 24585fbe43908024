/** The golden matrix (matrix.txt): every method of every route for every role, on a hosted and on a proxied repository. */
import { expect, test } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { parseTag } from '../../../src/oci/name.ts'
import { createMemoryHosted, type MemoryHosted } from '../memory-hosted.ts'
import { createMemoryRepository } from '../memory-repository.ts'
import { basic, openAccessHouse, type RuleText } from './house.ts'

const blob = Buffer.from('content')
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const digest = digestOf(blob)
const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: blob.length }
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [config] }))
const password = 'right'

/** `blind` may push and delete, and pull nothing. */
const users = ['nobody', 'puller', 'pusher', 'deleter', 'owner', 'blind']
const rules: RuleText[] = [
  { users: ['anonymous'], repositories: ['hosted/local/open', 'docker.io/library/open'], actions: ['pull'] },
  { users: ['puller', 'pusher', 'deleter', 'owner'], repositories: ['**'], actions: ['pull'] },
  { users: ['pusher', 'owner', 'blind'], repositories: ['**'], actions: ['push'] },
  { users: ['deleter', 'owner', 'blind'], repositories: ['**'], actions: ['delete'] },
]

/** Strangers with nothing and with podman's empty credentials, three that are wrong, and those who signed in. */
const roles: [string, Record<string, string>][] = [
  ['stranger', {}],
  ['Og==', { Authorization: 'Basic Og==' }],
  ['wrong', basic('owner', 'wrong')],
  ['unknown', basic('who', 'wrong')],
  ['bearer', { Authorization: 'Bearer abc' }],
  ...users.map((user): [string, Record<string, string>] => [user, basic(user, password)]),
]

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const outside = ['/v2/', '/v2/_oci/ext/discover', '/livez', '/readyz', '/v2/_catalog', '/']
/** `local/*` is hosted; `app` and `open` are proxied; anonymous may pull from those called open; `elsewhere` is no upstream. */
const repositories = ['local/app', 'local/open', 'app', 'open']
const routes = [
  'manifests/1',
  `manifests/${digestOf(manifest)}`,
  'manifests/1.x',
  `blobs/${digest}`,
  'blobs/uploads/',
  'blobs/uploads/SESSION',
  'tags/list',
  `referrers/${digest}`,
  '_entrepot/versions/resolve?range=*',
  '_oci/ext/discover',
]

/** As it was before the last request. */
async function stock(repository: MemoryHosted, by: string): Promise<string> {
  for (const held of [repository.blobs, repository.manifests, repository.tagged]) held.clear()
  const tag = parseTag('1')
  repository.blobs.set(digest, blob)
  repository.manifests.set(digestOf(manifest), { bytes: manifest, mediaType })
  if (tag) repository.tagged.set(tag, digestOf(manifest))
  const { id } = await repository.startUpload({ by })
  return id
}

function bodyFor(method: string, target: string): [Record<string, string>, string] {
  if (method === 'PUT' && target.includes('/manifests/')) return [{ 'Content-Type': mediaType }, manifest.toString()]
  return method === 'PATCH' || method === 'PUT' ? [{ 'Content-Type': 'application/octet-stream' }, 'content'] : [{}, '']
}

test('who is answered what', async () => {
  const hosted = {
    'local/app': createMemoryHosted('hosted/local/app'),
    'local/open': createMemoryHosted('hosted/local/open'),
  }
  const content = { blobs: [blob], manifests: { 1: { bytes: manifest, mediaType } }, tags: ['1'], referrers: [] }
  const proxied = (key: string) => ({ ...createMemoryRepository(content), key })
  const house = await openAccessHouse({
    users: Object.fromEntries(users.map((user) => [user, password])),
    rules,
    repositories: { ...hosted, app: proxied('docker.io/library/app'), open: proxied('docker.io/library/open') },
  })

  async function statusFor(
    method: string,
    target: string,
    [role, credentials]: (typeof roles)[number],
  ): Promise<number> {
    const ids = new Map<string, string>()
    for (const [name, repository] of Object.entries(hosted)) ids.set(name, await stock(repository, role))
    const session = [...ids].find(([name]) => target.startsWith(`/v2/${name}/`))?.[1] ?? 'session-1'
    const [headers, body] = bodyFor(method, target)
    const isEnd = method === 'PUT' && target.endsWith('SESSION')
    const path = target.replace('SESSION', session) + (isEnd ? `?digest=${digest}` : '')
    const { status, headers: answered } = await house.ask(method, path, { ...credentials, ...headers }, body)
    expect([target, status === 401, answered['www-authenticate'] !== undefined]).toEqual([
      target,
      status === 401,
      status === 401,
    ])
    return status
  }

  const width = 9
  const lines = [
    ['', ...roles.map(([role]) => role)]
      .map((cell) => cell.padEnd(width))
      .join('')
      .trimEnd(),
  ]
  const inside = repositories.flatMap((name) => routes.map((route) => `/v2/${name}/${route}`))
  for (const target of [...outside, ...inside, '/v2/elsewhere/manifests/1', '/v2/elsewhere/blobs/uploads/']) {
    lines.push('', target.replace(/[0-9a-f]{64}/, 'HEX'))
    for (const method of methods) {
      const cells: string[] = [method]
      for (const role of roles) cells.push(String(await statusFor(method, target, role)))
      lines.push(
        cells
          .map((cell) => cell.padEnd(width))
          .join('')
          .trimEnd(),
      )
    }
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('matrix.txt')
})
