/** The commands as users run them: processes of their own, beside a daemon or without one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished } from 'vitest'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const imageType = 'application/vnd.oci.image.manifest.v1+json'

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export async function entrepot(args: string[], home: string): Promise<Ended> {
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, DOCKER_CONFIG: home }
  const child = spawn(process.execPath, [main, ...args], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  await closed
  return { code: child.exitCode, stdout, stderr }
}

/** Reads the first bytes of its output and closes the pipe, as `| head -1` does. */
export async function throughHead(args: string[], home: string): Promise<Ended> {
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, DOCKER_CONFIG: home }
  const child = spawn(process.execPath, [main, ...args], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  child.stdout.destroy()
  const stderr = await text(child.stderr)
  await closed
  return { code: child.exitCode, stdout: '', stderr }
}

export interface Bench {
  upstream: ScriptedRegistry
  /** A folder of the user's, with `config.yaml` in it. */
  home: string
  /** Flags that every command needs: configuration, and data in an empty directory. */
  flags: string[]
  /** What to write before a repository's name. */
  prefix: string
  /** A manifest of its own for each tag. @returns the digest of the tag */
  put: (name: string, tag: string, salt?: string) => string
}

/** An upstream with the alias `up`, whose lists and tags are always asked for again. */
export async function setUp(config: Record<string, unknown> = {}): Promise<Bench> {
  const upstream = await startScriptedRegistry()
  const home = await mkdtemp(join(tmpdir(), 'entrepot-cli-'))
  onTestFinished(async () => {
    await upstream.close()
    await rm(home, { recursive: true, force: true })
  })
  const host = `registry.test:${upstream.port}`
  const settings = {
    upstreams: { [host]: { url: upstream.url, alias: 'up' } },
    dockerConfig: 'off',
    freshFor: '0s',
    listsFreshFor: '0s',
    ...config,
  }
  const file = join(home, 'config.yaml')
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
  const data = join(home, 'data')
  await mkdir(data)
  return {
    upstream,
    home,
    flags: ['--config', file, '--data', data],
    prefix: 'up/',
    put: (name, tag, salt = '') => putImage(upstream, name, tag, `layer of ${tag} ${salt}`),
  }
}

/** An image of one blob. @returns its digest */
export function putImage(upstream: ScriptedRegistry, name: string, tag: string, content: string): string {
  const blob = upstream.putBlob(name, content)
  const descriptor = (mediaType: string) => ({ mediaType, digest: blob, size: content.length })
  const manifest = {
    schemaVersion: 2,
    mediaType: imageType,
    config: descriptor('application/vnd.oci.image.config.v1+json'),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar')],
  }
  return upstream.putManifest(name, tag, JSON.stringify(manifest), imageType)
}

/** A manifest, and all that it names. @returns the bodies */
export async function pull(url: string, name: string, reference: string): Promise<string[]> {
  const manifest = await (await succeeded(`${url}/v2/${name}/manifests/${reference}`)).text()
  const layers = [...manifest.matchAll(/"digest":"([^"]+)"/g)].map(([, layer]) => layer ?? '')
  const bodies = layers.map(async (layer) => (await succeeded(`${url}/v2/${name}/blobs/${layer}`)).text())
  return [manifest, ...(await Promise.all(bodies))]
}

async function succeeded(url: string): Promise<Response> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  return response
}
