/** What the log of a daemon says after its start about a configuration that does not do what it seems to. */
import { chmod, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { imageManifest, noise } from '../crash/content.ts'
import { createPusher } from '../crash/pushing.ts'
import { basic, cheapHash } from '../registry/access/house.ts'
import { startEntrepot, temporaryFolder } from './entrepot.ts'

interface Line {
  level: string
  msg: string
  [field: string]: unknown
}

const warningsOf = (log: string) =>
  log
    .trimEnd()
    .split('\n')
    .map((line): Line => JSON.parse(line))
    .filter(({ level }) => level === 'warn')

test('rules that can never matter, and nothing of a start without them', async () => {
  const folder = await temporaryFolder()
  const [htpasswd, config] = [join(folder, 'htpasswd'), join(folder, 'config.yaml')]
  await writeFile(htpasswd, `alice:${cheapHash('of alice')}\n`, { mode: 0o600 })
  const yaml = (users: string, repositories: string) =>
    `dockerConfig: off\naccess:\n  htpasswd: htpasswd\n  rules:\n    - users: ${users}\n      repositories: ${repositories}\n      actions: [pull]\n`
  await writeFile(config, yaml('[alcie]', '[docker.io/alpine]'))
  const first = await startEntrepot({ data: join(folder, 'data'), config })
  expect(warningsOf((await first.stop()).stdout).map(({ msg }) => msg)).toEqual([
    expect.stringContaining(`config.yaml:5:15: access.rules[0].users[0]: ${htpasswd} has no user alcie`),
    expect.stringContaining('config.yaml:6:22: access.rules[0].repositories[0]: no repository of Docker Hub is called'),
  ])
  await writeFile(config, yaml('[alice]', '[docker.io/library/alpine]'))
  const second = await startEntrepot({ data: join(folder, 'data'), config })
  expect(warningsOf((await second.stop()).stdout)).toEqual([])
})

test('a file of users that others can read is taken while it serves, with what to do, and refused at the next start', async () => {
  const folder = await temporaryFolder()
  const [htpasswd, config] = [join(folder, 'htpasswd'), join(folder, 'config.yaml')]
  await writeFile(htpasswd, `alice:${cheapHash('of alice')}\n`, { mode: 0o600 })
  const rules = [{ users: ['*'], repositories: ['**'], actions: ['pull'] }]
  await writeFile(config, JSON.stringify({ dockerConfig: 'off', access: { htpasswd, rules } }))
  const daemon = await startEntrepot({ data: join(folder, 'data'), config })
  await writeFile(`${htpasswd}.new`, `bob:${cheapHash('of bob')}\n`)
  await chmod(`${htpasswd}.new`, 0o644)
  await rename(`${htpasswd}.new`, htpasswd)
  const asBob = async () => (await fetch(`${daemon.url}/v2/`, { headers: basic('bob', 'of bob') })).status
  await expect.poll(asBob, { timeout: 10_000 }).toBe(200)
  const told = warningsOf((await daemon.stop()).stdout).filter(({ msg }) => msg !== 'wrong credentials')
  expect(told).toMatchObject([
    {
      msg: 'the next start refuses the file of users',
      why: `access.htpasswd is kept in ${htpasswd}, which other users can read: chmod 600 ${htpasswd}`,
    },
  ])
  const { code, stderr } = await (await startEntrepot({ data: join(folder, 'data'), config })).ended
  expect([code, stderr]).toEqual([1, expect.stringContaining(`chmod 600 ${htpasswd}`)])
})

test('hosted content that a narrower configuration hides, and content that leaves no room', async () => {
  const folder = await temporaryFolder()
  const [data, config] = [join(folder, 'data'), join(folder, 'config.yaml')]
  const layer = noise('layer', 3 * 2 ** 20)
  await writeFile(config, JSON.stringify({ dockerConfig: 'off', hosted: ['team/**'] }))
  const first = await startEntrepot({ data, config })
  const pusher = createPusher(`${first.url}/v2/team/app`)
  expect(await pusher.blob(layer)).toBe(201)
  expect(await pusher.manifest('1.0', imageManifest([{ digest: digestOf(layer), size: layer.length }]))).toBe(201)
  expect(warningsOf((await first.stop()).stdout)).toEqual([])

  await writeFile(config, JSON.stringify({ dockerConfig: 'off', maxSize: '2MiB' }))
  const second = await startEntrepot({ data, config })
  await second.logged(/leaves no room|more than maxSize/)
  expect(warningsOf((await second.stop()).stdout)).toMatchObject([
    { msg: expect.stringContaining('no pattern of "hosted" covers'), repositories: 1, oneOfThem: 'team/app' },
    { msg: expect.stringContaining('what cannot be evicted is more than maxSize'), maxSize: 2 * 2 ** 20 },
  ])
})
