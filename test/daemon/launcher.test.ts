/** The launcher between a supervisor and the daemon: what it passes on, and how both end together. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import { configFor, runLauncher, runNpmStart, startEntrepot, temporaryFolder } from './entrepot.ts'
import { putHalf } from './half-blob.ts'
import { pull } from './pulling.ts'

let upstream: ScriptedRegistry
beforeEach(async () => {
  upstream = await startScriptedRegistry()
})
afterEach(() => upstream.close())

async function house() {
  const folder = await temporaryFolder()
  const [data, config] = [join(folder, 'data'), await configFor(folder, upstream)]
  const home = join(folder, 'home')
  await mkdir(home)
  return { data, config, env: { HOME: home }, args: ['--config', config, '--data', data, '--listen', '127.0.0.1:0'] }
}

describe('the launcher', () => {
  test('prints the version, and nothing else', async () => {
    const manifest = await import('../../package.json', { with: { type: 'json' } })
    const ending = await (await runLauncher(['--version'])).ended
    expect(ending).toEqual({ code: 0, signal: null, stdout: `${manifest.default.version}\n`, stderr: '' })
  })

  test('behind npm start ends with npm: a signal to npm drains the daemon instead of leaving it behind', async () => {
    const { args } = await house()
    const daemon = await runNpmStart(args)
    expect(await pull(`${daemon.url}/readyz`)).toMatchObject({ status: 200 })
    expect((await daemon.stop()).stdout).toContain('"msg":"draining"')
  })

  test('passes signals on to the daemon and its exit code back', async () => {
    const { args, env } = await house()
    const daemon = await runLauncher(args, env)
    expect(await pull(`${daemon.url}/readyz`)).toMatchObject({ status: 200 })
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('takes the daemon with it when it is killed: transfers in flight end, whole, and port and data are free', async () => {
    const { data, config, args, env } = await house()
    const launcher = await runLauncher(args, env)
    const { digest, path, sendRest, size } = putHalf(upstream)
    const pulling = pull(launcher.url + path)
    await expect.poll(() => upstream.count('GET', /blobs/)).toBe(1)
    launcher.signal('SIGKILL')
    await launcher.logged(/"msg":"draining"/)
    expect(launcher.stdout()).toContain('the launcher is gone')
    await expect(fetch(`${launcher.url}/readyz`)).rejects.toThrow()
    sendRest()
    expect(await pulling).toMatchObject({ status: 200, digest, size })
    // Its streams close with the last process that has them: the daemon.
    expect(await launcher.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    const again = await startEntrepot({ data, config, args: ['--listen', launcher.url.replace('http://', '')] })
    expect(again.url).toBe(launcher.url)
    expect(await again.stop()).toMatchObject({ code: 0 })
  })

  test('that is killed before the daemon serves leaves none behind either', async () => {
    const { args, env } = await house()
    const sayThatItStarts = `if (process.send) process.stdout.write('"msg":"serving", soon\\n')`
    const preload = `--import=data:text/javascript,${encodeURIComponent(sayThatItStarts)}`
    const launcher = await runLauncher(args, { ...env, NODE_OPTIONS: preload })
    launcher.signal('SIGKILL')
    expect(await launcher.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  })

  test('that is killed while the daemon drains does not cut the drain short', async () => {
    const { args, env } = await house()
    const launcher = await runLauncher(args, env)
    const { digest, path, sendRest, size } = putHalf(upstream)
    const pulling = pull(launcher.url + path)
    await expect.poll(() => upstream.count('GET', /blobs/)).toBe(1)
    launcher.signal('SIGTERM')
    await launcher.logged(/"msg":"draining"/)
    launcher.signal('SIGKILL')
    await expect.poll(() => isAlive(launcher.pid)).toBe(false)
    sendRest()
    expect(await pulling).toMatchObject({ status: 200, digest, size })
    expect(await launcher.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
