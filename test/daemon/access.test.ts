/** Client access and TLS of the daemon as its users start it: what is written, who signs in, and what is renewed while it serves. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, rename, writeFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { type Certificate, issueCertificate } from '../support/certificates.ts'
import { type Entrepot, startEntrepot, temporaryFolder } from './entrepot.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

async function passwd(user: string, input: string) {
  const child = spawn(process.execPath, [main, 'passwd', user], { stdio: 'pipe' })
  child.stdin.end(input)
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { output, complaint, code: Number(code) }
}

/** A daemon with client access: alice may do everything hosted, anonymous may pull from `hosted/charts/open`. */
async function startWithAccess(more: Record<string, unknown> = {}, args: string[] = []) {
  const folder = await temporaryFolder()
  const htpasswd = join(folder, 'htpasswd')
  await writeFile(htpasswd, (await passwd('alice', 'secret\n')).output, { mode: 0o600 })
  const config = join(folder, 'config.yaml')
  const rules = [
    { users: ['alice'], repositories: ['hosted/**'], actions: ['pull', 'push', 'delete'] },
    { users: ['anonymous'], repositories: ['hosted/charts/open'], actions: ['pull'] },
  ]
  await writeFile(config, JSON.stringify({ dockerConfig: 'off', access: { htpasswd, rules }, ...more }))
  const data = join(folder, 'data')
  return { folder, htpasswd, data, daemon: await startEntrepot({ data, config, args }) }
}

async function statusOf(
  options: RequestOptions,
  ask: typeof request | typeof plainRequest = plainRequest,
): Promise<number> {
  const asked = ask({ agent: false, ...options }).end()
  const [response] = await once(asked, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

const portOf = (daemon: Entrepot) => Number(/"at":"https?:[^"]+:(\d+)"/.exec(daemon.stdout())?.[1])

describe('entrepot passwd', () => {
  test('prints a line that a daemon takes, from a password on stdin', async () => {
    const { daemon } = await startWithAccess()
    const { port } = new URL(daemon.url)
    const target = { host: '127.0.0.1', port, path: '/v2/local/app/tags/list' }
    expect(await statusOf(target)).toBe(401)
    expect(await statusOf({ ...target, auth: 'alice:secret' })).toBe(404)
    expect(await statusOf({ ...target, auth: 'alice:secret', path: '/v2/' })).toBe(200)
    expect(await statusOf({ ...target, auth: 'alice:secrets' })).toBe(401)
    expect(await statusOf({ ...target, auth: 'nobody:secrets' })).toBe(401)
    await daemon.logged(/"user":"alice","address":"127\.0\.0\.1","failures":1,"inAll":1,.*"msg":"wrong credentials"/)
    const { stdout } = await daemon.stop()
    expect(stdout).toMatch(
      /"user":"unknown","address":"127\.0\.0\.1","failures":1,"inAll":2,.*"msg":"wrong credentials"/,
    )
    expect(stdout).not.toMatch(/secret|\$2y\$/)
  })

  test.each([
    ['anonymous', 'x', 'the name anonymous is taken: rules use it for more than one user.'],
    ['a:b', 'x', 'the user name must have 1 to 256 characters, no colon and no control characters.'],
    ['alice', '\n', 'the password is empty.'],
    ['alice', 'a\nb', 'the password has control characters, which clients cannot send.'],
    ['alice', 'a'.repeat(73), 'the password is longer than the 72 bytes that bcrypt reads.'],
    ['alice', 'a'.repeat(5000), 'the password is longer than the 72 bytes that bcrypt reads.'],
  ])('refuses %s with what cannot be a password', async (user, input, complaint) => {
    expect(await passwd(user, input)).toEqual({ output: '', complaint: `entrepot: ${complaint}\n`, code: 1 })
  })
})

describe('access', () => {
  test('anonymous is served what it has a rule for, and the operator needs none', async () => {
    const { daemon, data } = await startWithAccess()
    const { port } = new URL(daemon.url)
    const at = (path: string) => statusOf({ host: '127.0.0.1', port, path })
    expect(await at('/v2/charts/open/tags/list')).toBe(404)
    expect(await at('/v2/charts/closed/tags/list')).toBe(401)
    const socketPath = join(data, 'entrepot.sock')
    const operator = { socketPath, headers: { host: 'localhost' } }
    expect(await statusOf({ ...operator, path: '/v2/charts/closed/tags/list' })).toBe(404)
    expect(await statusOf({ ...operator, path: '/v2/' })).toBe(200)
  })

  test('a user who is added while it serves can sign in within a second', async () => {
    const { daemon, htpasswd } = await startWithAccess()
    const { port } = new URL(daemon.url)
    const asBob = { host: '127.0.0.1', port, path: '/v2/', auth: 'bob:other' }
    await appendFile(htpasswd, (await passwd('bob', 'other')).output)
    const since = performance.now()
    await expect.poll(() => statusOf(asBob), { timeout: 5_000 }).toBe(200)
    expect(performance.now() - since).toBeLessThan(1_500)
  })

  test('off loopback it says in words that passwords travel without encryption', async () => {
    const { daemon } = await startWithAccess({}, ['--listen', '0.0.0.0:0'])
    await daemon.logged(/passwords travel without encryption/)
    expect(await statusOf({ host: '127.0.0.1', port: portOf(daemon), path: '/v2/' })).toBe(401)
  })

  test('a file of users with a line that cannot be used stops the start with exit code 1', async () => {
    const folder = await temporaryFolder()
    const htpasswd = join(folder, 'htpasswd')
    await writeFile(htpasswd, 'alice:secret\n', { mode: 0o600 })
    const config = join(folder, 'config.yaml')
    await writeFile(config, JSON.stringify({ dockerConfig: 'off', access: { htpasswd, rules: [] } }))
    const { code, stderr } = await (await startEntrepot({ data: join(folder, 'data'), config })).ended
    expect([code, stderr]).toEqual([1, expect.stringMatching(/htpasswd:1: the password is no bcrypt hash/)])
    expect(stderr).not.toContain('secret')
  })

  test('without it the daemon says in words who is served off loopback', async () => {
    const folder = await temporaryFolder()
    const config = join(folder, 'config.yaml')
    await writeFile(config, JSON.stringify({ dockerConfig: 'off', allowAnonymousLan: true }))
    const daemon = await startEntrepot({ data: join(folder, 'data'), config, args: ['--listen', '0.0.0.0:0'] })
    await daemon.logged(/everybody who can connect may pull, push and delete/)
  })
})

describe('tls', () => {
  const authority = issueCertificate({ name: 'authority' })
  const issue = (name: string) => issueCertificate({ name, hosts: ['localhost', '127.0.0.1'], issuer: authority })

  async function startWithTls() {
    const folder = await temporaryFolder()
    const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    const put = async (file: string, content: string) => {
      await writeFile(`${file}.new`, content, { mode: 0o600 })
      await rename(`${file}.new`, file)
    }
    const first = issue('first')
    await put(files.certificate, first.cert)
    await put(files.key, first.key)
    const { daemon } = await startWithAccess({ tls: files })
    const port = portOf(daemon)
    const shown = async (servername = 'localhost') => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: authority.cert,
        servername,
        ALPNProtocols: ['h2', 'http/1.1'],
      })
      await once(socket, 'secureConnect')
      const { subject } = socket.getPeerCertificate()
      socket.destroy()
      return { name: subject.CN, protocol: socket.alpnProtocol }
    }
    return { daemon, port, files, put, shown }
  }

  const replace = async ({ files, put }: Awaited<ReturnType<typeof startWithTls>>, { cert, key }: Certificate) => {
    await put(files.certificate, cert)
    await put(files.key, key)
  }

  test('serves https to clients that trust the issuer, and access holds there', async () => {
    const { port, daemon, shown } = await startWithTls()
    const target = { host: 'localhost', port, ca: authority.cert, path: '/v2/', family: 4 }
    expect(await statusOf(target, request)).toBe(401)
    expect(await statusOf({ ...target, auth: 'alice:secret' }, request)).toBe(200)
    expect(await statusOf({ ...target, headers: { Host: 'evil.example' }, servername: 'localhost' }, request)).toBe(403)
    expect(await shown()).toEqual({ name: 'first', protocol: 'http/1.1' })
    expect(daemon.stdout()).not.toContain('passwords travel')
    expect(await statusOf({ host: '127.0.0.1', port, path: '/v2/' })).toBe(400)
    expect((await daemon.stop()).code).toBe(0)
  })

  test('a new certificate is used for new connections, once both of its files are new', async () => {
    const started = await startWithTls()
    const second = issue('second')
    await started.put(started.files.certificate, second.cert)
    await started.daemon.logged(/the new certificate cannot be used; the old one stays/)
    expect((await started.shown()).name).toBe('first')
    await started.put(started.files.key, second.key)
    await started.daemon.logged(/the new certificate is in use/)
    expect((await started.shown()).name).toBe('second')
    expect(started.daemon.stdout()).not.toContain('PRIVATE KEY')
  })

  test('a connection that is there outlives the change', async () => {
    const started = await startWithTls()
    const socket = connect({ host: '127.0.0.1', port: started.port, ca: authority.cert, servername: 'localhost' })
    await once(socket, 'secureConnect')
    await replace(started, issue('second'))
    await started.daemon.logged(/the new certificate is in use/)
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toContain('200 OK')
    socket.destroy()
  })

  test('the log says https', async () => {
    const { daemon } = await startWithTls()
    expect(daemon.stdout()).toMatch(/"at":"https:\/\/127\.0\.0\.1:\d+"/)
  })
})
