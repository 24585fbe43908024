/** The contenders: this daemon, the distribution registry (hosted, and as a proxy) and nginx; nginx is the upstream of both proxies. */
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Daemon, startDaemon } from '../test/support/daemon.ts'
import { start } from '../test/support/process.ts'
import { toolPath } from '../test/support/tools.ts'
import { type Blob, blobPath, manifestPath, manifestType, repository } from './content.ts'

export interface Peer {
  /** `http://127.0.0.1:port`. */
  url: string
  pid: number
  stop(): Promise<void>
}

export interface Upstream extends Peer {
  /** How often a path was asked for by GET since the start. */
  gets(path: string): Promise<number>
}

/** This daemon with one upstream, which holds every name. */
export async function startEntrepot(upstream: Peer, options: { data?: string; within?: number } = {}): Promise<Daemon> {
  const host = new URL(upstream.url).host
  const config = {
    upstreams: { [host]: { url: upstream.url } },
    defaultUpstream: host,
    dockerConfig: 'off',
    freshFor: '1h',
    maxSize: '40GiB',
  }
  return startDaemon({ config, ...options })
}

/** nginx with sendfile, over a folder whose files lie where the distribution API would look for them. */
export async function startNginx(folder: string, site: string): Promise<Upstream> {
  const port = await freePort()
  const own = await mkdtemp(join(folder, 'nginx-'))
  const config = `
    daemon off;
    worker_processes auto;
    pid ${own}/pid;
    error_log stderr warn;
    ${userInfo().uid === 0 ? 'user root;' : ''}
    events { worker_connections 1024; }
    http {
      log_format asked '$request_method $uri';
      access_log ${own}/access.log asked;
      client_body_temp_path ${own}; proxy_temp_path ${own}; fastcgi_temp_path ${own}; uwsgi_temp_path ${own}; scgi_temp_path ${own};
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000;
      default_type application/octet-stream;
      server {
        listen 127.0.0.1:${port};
        root ${site};
        location = /v2/ { return 200 '{}'; }
        location ~ /manifests/ { default_type ${manifestType}; }
      }
    }`
  const file = join(own, 'nginx.conf')
  await writeFile(file, config)
  const nginx = await start('nginx', ['-e', 'stderr', '-c', file])
  const url = `http://127.0.0.1:${port}`
  await answering(url, nginx.output)
  return {
    url,
    pid: nginx.pid,
    async gets(path) {
      const asked = (await readFile(join(own, 'access.log'), 'utf8')).split('\n')
      return asked.filter((line) => line === `GET ${path}`).length
    },
    stop: () => nginx.stop(),
  }
}

/** The distribution registry with its memory cache of descriptors and without an access log: as fast as it is configured to be. */
export async function startDistribution(folder: string, upstream?: Peer): Promise<Peer> {
  const own = await mkdtemp(join(folder, 'distribution-'))
  const settings = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(own, 'content') },
      cache: { blobdescriptor: 'inmemory' },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: '127.0.0.1:0', secret: 'bench' },
    ...(upstream && { proxy: { remoteurl: upstream.url } }),
  }
  const config = join(own, 'config.json')
  await writeFile(config, JSON.stringify(settings))
  const registry = await start(toolPath('distribution'), ['serve', config], { env: { OTEL_TRACES_EXPORTER: 'none' } })
  const [, port] = await registry.printed(/listening on 127\.0\.0\.1:(\d+)/)
  const url = `http://127.0.0.1:${port}`
  await answering(url, registry.output)
  const stop = async () => {
    await registry.stop()
    await rm(own, { recursive: true, force: true })
  }
  return { url, pid: registry.pid, stop }
}

export async function pushBlob(registry: Peer, blob: Blob): Promise<void> {
  const started = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const place = new URL(started.headers.get('location') ?? '', registry.url)
  place.searchParams.set('digest', blob.digest)
  const body = Readable.toWeb(createReadStream(blob.path)) as ReadableStream
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) }
  await succeeded(await fetch(place, { method: 'PUT', body, headers, duplex: 'half' }), blobPath(blob.digest))
}

export async function pushManifest(registry: Peer, reference: string, bytes: Buffer): Promise<void> {
  const path = manifestPath(reference)
  const put = { method: 'PUT', body: new Uint8Array(bytes), headers: { 'content-type': manifestType } }
  await succeeded(await fetch(registry.url + path, put), path)
}

async function succeeded(response: Response, what: string): Promise<void> {
  if (!response.ok) throw new Error(`PUT of ${what} was answered with ${response.status}: ${await response.text()}`)
  await response.arrayBuffer()
}

async function answering(url: string, output: () => string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const response = await fetch(`${url}/v2/`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${url} does not answer:\n${output()}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
