/**
 * Real clients at a daemon with `access`, over TLS and over plain http: the commands, the configuration and the certificates of docs/access.md
 * as they stand there, and the same commands as somebody else, elsewhere, without a password and with a wrong one.
 */
import { appendFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { parse } from 'yaml'
import { settingsSchema } from '../../src/config/schema.ts'
import { missingTools, type Tool, toolPath } from '../support/tools.ts'
import { blocksUnder, page, type Script, scripts, type Transport } from './access-page.ts'
import { type AccessDaemon, startAccessDaemon } from './access-daemon.ts'
import { openSession } from './access-session.ts'
import { openContainerd } from './containerd.ts'
import { aligned, mark } from './table.ts'

const steps = ['refused', 'pull', 'push', 'denied', 'open', 'logout', 'config.json'] as const
type Step = (typeof steps)[number]

const allTools: Tool[] = ['crane', 'podman', 'skopeo', 'oras', 'regctl', 'cosign', 'containerd', 'ctr']
const missing = missingTools(...allTools)
const isRoot = process.getuid?.() === 0
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const results = new Map<string, boolean>()
/** What clients say where a password is missing or wrong, and where somebody may not do what was asked. */
const unauthorized =
  /unauthorized|authentication required|401|no basic auth credentials|invalid username\/password|credential not found/i
const notThere = /not found|not known|404|name unknown|manifest unknown|no repository|no manifest|UNKNOWN/i
const denied = /denied|403|forbidden/i

let folder: string
let tags = 0
let containerd: Awaited<ReturnType<typeof openContainerd>>
const daemons = new Map<Transport, AccessDaemon>()

describe.skipIf(missing.length > 0 || !isRoot)(`docs/access.md${isRoot ? hint : ' (containerd needs root)'}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-access-clients-'))
    await mkdir(join(folder, 'bin'))
    for (const tool of allTools) await symlink(toolPath(tool), join(folder, 'bin', tool))
    containerd = await openContainerd(join(folder, 'containerd'))
    for (const transport of ['TLS', 'http'] as const) {
      daemons.set(transport, await startAccessDaemon(join(folder, transport), transport))
    }
  }, 120_000)

  afterAll(async () => {
    console.log(`Clients and access:\n\n${table()}\n`)
    for (const daemon of daemons.values()) await daemon.stop()
    await containerd?.close()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  test('every configuration on the page is one', () => {
    for (const text of [...blocksUnder('Rules', 'yaml'), ...blocksUnder('Without users: `allowAnonymousLan`', 'yaml')])
      expect(settingsSchema.safeParse(parse(text)).error).toBeUndefined()
  })

  test.each(scripts)('$client, $transport', { timeout: 180_000 }, async (script) => {
    const daemon = daemons.get(script.transport)
    if (!daemon) throw new Error('no daemon')
    onTestFailed(() => console.log(daemon.log().split('\n').slice(-12).join('\n')))
    for (const step of stepsOf(script)) results.set(place(script, step), false)
    const home = await mkdtemp(join(folder, 'home-'))
    const use = await openSession(script, daemon, home)
    tags += 10
    const done = (step: Step) => results.set(place(script, step), true)

    await expect(use.without(script.pull)).rejects.toThrow(unauthorized)
    await expect(use.as('alice', 'password.wrong', script.login, script.pull)).rejects.toThrow(unauthorized)
    done('refused')
    await use.as('alice', 'password', script.login, script.pull)
    done('pull')
    await use.as('alice', 'password', script.push)
    done('push')
    await expect(use.as('alice', 'password', tagged(script.push, 'other', 1))).rejects.toThrow(notThere)
    await use.without(script.logout)
    await expect(use.as('ci', 'password.ci', script.login, tagged(script.push, 'team', 2))).rejects.toThrow(denied)
    await use.as('ci', 'password.ci', script.pull)
    done('denied')
    await use.without(script.logout)
    const openPush = tagged(script.push, 'open', 3)
    await use.without(script.pull.replace('/team/', '/open/'))
    await expect(use.without(openPush)).rejects.toThrow(unauthorized)
    await use.as('alice', 'password', script.login, openPush)
    done('open')
    if (script.logout === '') return
    await use.without(script.logout)
    await expect(use.without(script.pull)).rejects.toThrow(unauthorized)
    done('logout')
    await use.withDockerConfig(script.pull)
    done('config.json')
  })

  test('podman takes an empty user with an empty password for none', async () => {
    const script = scripts.find(({ client, transport }) => client.startsWith('podman') && transport === 'http')
    const daemon = daemons.get('http')
    if (!script || !daemon) throw new Error('nothing to do')
    const use = await openSession(script, daemon, await mkdtemp(join(folder, 'home-')))
    await use.withDockerConfig(script.pull.replace('/team/', '/open/'), 'Og==')
    await expect(use.withDockerConfig(script.pull, 'Og==')).rejects.toThrow(unauthorized)
  })

  test('containerd sends the header of hosts.toml', async () => {
    const script = scripts.find(({ client, transport }) => client.startsWith('containerd') && transport === 'TLS')
    const daemon = daemons.get('TLS')
    if (!script || !daemon) throw new Error('nothing to do')
    const home = await mkdtemp(join(folder, 'home-'))
    const use = await openSession(script, daemon, home)
    await expect(use.without(script.pull)).rejects.toThrow(unauthorized)
    const [, header = ''] = blocksUnder('containerd', 'toml')
    const encoded = Buffer.from(`alice:${daemon.password}`).toString('base64')
    const text = header.replaceAll('registry.internal:5000', daemon.host).replace('YWxpY2U6c2VjcmV0', encoded)
    await appendFile(join(home, 'certs.d', daemon.host, 'hosts.toml'), text)
    await use.without(script.pull)
  })

  test('the page shows this table', () => {
    const shown = page.match(/^\| client(?:.*\n)+?(?=\n)/m)?.[0].trimEnd()
    expect(shown).toBe(table())
  })
})

/** What nobody has pushed there yet, or a client would find that there is nothing to do; cosign always has something new for what is there. */
function tagged(push: string, team: string, number: number): string {
  const moved = push.replace('/team/copy', `/${team}/copy`)
  return push.startsWith('cosign') ? moved : moved.replace('/copy:1.0', `/copy:${tags + number}`)
}

function stepsOf({ logout }: Script): Step[] {
  return steps.filter((step) => logout !== '' || (step !== 'logout' && step !== 'config.json'))
}

function place({ client, transport }: Script, step: Step): string {
  return [client, transport, step].join('\n')
}

function table(): string {
  const rows = scripts.map((script) => [
    script.client,
    script.transport,
    ...steps.map((step) => mark(results.get(place(script, step)))),
  ])
  return aligned([['client', 'over', ...steps], ...rows])
}
