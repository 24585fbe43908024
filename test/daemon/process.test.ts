/** The daemon as its supervisor and its operator see it: exit codes, sentences, signals. */
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { symlink, writeFile } from 'node:fs/promises'
import { createServer as createSocketServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noise } from '../crash/content.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, startEntrepot, temporaryFolder } from './entrepot.ts'
import { putHalf } from './half-blob.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(() => upstream.close())

async function house(more: Record<string, unknown> = {}) {
  const folder = await temporaryFolder()
  return { folder, data: join(folder, 'data'), config: await configFor(folder, upstream, more) }
}

describe('a start', () => {
  test('that works writes nothing to stderr, and one line that says where', async () => {
    const daemon = await startEntrepot(await house())
    expect(daemon.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('with a mistake in the configuration ends with 1 and names file, line and key', async () => {
    const { folder, data } = await house()
    const config = join(folder, 'wrong.yaml')
    await writeFile(config, 'freshFor: 60s\nlistenn: 127.0.0.1:5000\n')
    const { code, stderr, stdout } = await (await startEntrepot({ data, config })).ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/wrong\.yaml:2.*listenn.*listen/)
    expect(stderr).not.toContain('    at ')
    expect(stdout).toBe('')
  })

  test('with an unknown flag ends with 1, names it, and says where there is more', async () => {
    const ending = await (await startEntrepot({ ...(await house()), args: ['--verbose'] })).ended
    const stderr = "entrepot: Unknown option '--verbose'.\nentrepot --help tells more.\n"
    expect(ending).toMatchObject({ code: 1, stdout: '', stderr })
  })

  test('on a disk that is not mounted ends with 1 and says where its directory leads', async () => {
    const { folder, data, config } = await house()
    await symlink(join(folder, 'disk'), data)
    const { code, stderr } = await (await startEntrepot({ data, config })).ended
    expect(code).toBe(1)
    expect(stderr).toBe(
      `entrepot: ${data} leads to ${join(folder, 'disk')}, which is not there: is the disk mounted?\n`,
    )
  })

  test('on an address in use ends with 1 and says which', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const at = `127.0.0.1:${typeof address === 'object' && address ? address.port : ''}`
    const { code, stderr } = await (await startEntrepot({ ...(await house()), args: ['--listen', at] })).ended
    other.close()
    expect(code).toBe(1)
    expect(stderr).toBe(
      `entrepot: http://${at} is in use: stop what listens there, or start with --listen HOST:PORT.\n`,
    )
  })

  test('on a socket that a killed process left takes it over, and on one that is listened on does not', async () => {
    const { folder, data, config } = await house()
    const at = join(folder, 'entrepot.sock')
    const options = { data, config, args: ['--listen', `unix:${at}`] }
    const first = await startEntrepot(options)
    first.signal('SIGKILL')
    await first.ended
    const second = await startEntrepot(options)
    expect(await statusOver(at)).toBe(200)
    await second.stop()

    const other = createSocketServer().listen(at)
    await once(other, 'listening')
    const { code, stderr } = await (await startEntrepot(options)).ended
    other.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`unix:${at} is in use`)
  })

  test('a second daemon on the same directory ends with 2 at once, naming the first, which goes on', async () => {
    const { data, config } = await house()
    const first = await startEntrepot({ data, config })
    const second = await startEntrepot({ data, config })
    const { code, stderr } = await second.ended
    expect(code).toBe(2)
    expect(stderr).toContain(`${data} is in use by process ${first.pid}`)
    expect(stderr).toContain(`listens on ${first.url}`)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    const digest = upstream.putBlob('app', 'first goes on')
    expect(await pull(`${first.url}/v2/up.example/app/blobs/${digest}`)).toMatchObject({ status: 200, digest })
  })
})

function statusOver(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/readyz', headers: { Host: 'localhost' } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}

describe('an error that nobody caught', () => {
  test.each([
    ['thrown', "throw new Error('unexpected')"],
    ['a rejection', "Promise.reject(new Error('unexpected'))"],
  ])('(%s) is logged and ends the daemon with 70', async (_, statement) => {
    const script = `process.on('SIGUSR2', () => { ${statement} })`
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` }
    const daemon = await startEntrepot({ ...(await house()), env })
    daemon.signal('SIGUSR2')
    const { code, stdout } = await daemon.ended
    expect(code).toBe(70)
    const line = stdout.split('\n').find((text) => text.includes('"level":"error"'))
    expect(JSON.parse(line ?? '')).toMatchObject({ error: { message: 'unexpected' } })
  })
})

describe('a signal', () => {
  test('lets transfers in flight end, whole, and then ends with 0', async () => {
    const daemon = await startEntrepot(await house())
    const { digest, path, size, sendRest } = putHalf(upstream)
    const pulling = pull(daemon.url + path)
    await expect.poll(() => upstream.count('GET', /blobs/)).toBe(1)
    daemon.signal('SIGTERM')
    await daemon.logged(/"msg":"draining"/)
    await expect(fetch(`${daemon.url}/readyz`)).rejects.toThrow()
    sendRest()
    expect(await pulling).toMatchObject({ status: 200, digest, size })
    expect(await daemon.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('does not wait for connections that nobody uses', async () => {
    const daemon = await startEntrepot(await house())
    await pull(`${daemon.url}/readyz`)
    const since = performance.now()
    expect(await daemon.stop()).toMatchObject({ code: 0 })
    expect(performance.now() - since).toBeLessThan(5_000)
  })

  test('that comes a second time ends it at once, and no client takes a short body for a complete one', async () => {
    const daemon = await startEntrepot(await house())
    const { path } = putHalf(upstream)
    const pulling = pull(daemon.url + path).then(
      () => 'complete',
      () => 'broken',
    )
    await expect.poll(() => upstream.count('GET', /blobs/)).toBe(1)
    daemon.signal('SIGTERM')
    await daemon.logged(/"msg":"draining"/)
    daemon.signal('SIGTERM')
    const { code, signal } = await daemon.ended
    expect(await pulling).toBe('broken')
    expect({ code, signal }).toEqual({ code: 143, signal: null })
  })

  test('SIGINT that arrives twice from one Ctrl-C still lets transfers end', async () => {
    const daemon = await startEntrepot(await house())
    const { digest, path, sendRest } = putHalf(upstream)
    const pulling = pull(daemon.url + path)
    await expect.poll(() => upstream.count('GET', /blobs/)).toBe(1)
    daemon.signal('SIGINT')
    await daemon.logged(/"msg":"draining"/)
    daemon.signal('SIGINT')
    sendRest()
    expect(await Promise.all([daemon.ended, pulling])).toMatchObject([{ code: 0 }, { status: 200, digest }])
  })

  test('keeps what had arrived of a download that nobody waits for, and the next start goes on from there', async () => {
    const { data, config } = await house()
    const daemon = await startEntrepot({ data, config })
    const bytes = noise('resumed', 80 * 1024 * 1024)
    const digest = upstream.putBlob('app', bytes)
    const stop = upstream.misbehave({ method: 'GET', path: /blobs/ }, (_, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length, 'Content-Type': 'application/octet-stream' })
      response.write(bytes.subarray(0, bytes.length - 8 * 1024 * 1024))
    })
    const client = new AbortController()
    const response = await fetch(`${daemon.url}/v2/up.example/app/blobs/${digest}`, { signal: client.signal })
    await response.body?.getReader().read()
    client.abort()
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
    stop()
    const again = await startEntrepot({ data, config })
    expect(await pull(`${again.url}/v2/up.example/app/blobs/${digest}`)).toMatchObject({ status: 200, digest })
    const ranges = upstream.calls.flatMap(({ headers }) => headers.range ?? [])
    expect(ranges).toEqual([expect.stringMatching(/^bytes=\d+-$/)])
  })
})
