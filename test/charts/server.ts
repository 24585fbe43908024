/** A classic chart repository on a loopback socket, correct by default, that a test can make misbehave request by request. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { onTestFinished } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

interface Listed {
  name: string
  version: string
  url?: string
  /** Hex; of the file at the address by default, `none` for no digest. */
  digest?: string
  created?: string
}

export interface ChartServer {
  /** `http://127.0.0.1:port`, or `https://` with `tls`. */
  url: string
  /** Path to content; `/index.yaml` among them. */
  files: Map<string, Buffer>
  /** Path and query of each request, and who asked. */
  calls: { path: string; authorization: string | undefined }[]
  count: (path: RegExp) => number
  /** Adds an archive as `/<name>-<version>.tgz`. */
  put: (name: string, version: string, archive: Buffer) => void
  /** Writes the index of these, of all that were put by default. */
  index: (entries?: Listed[]) => void
  /** @param times how many requests are answered so; without it, all */
  misbehave: (path: RegExp, handler: Handler, times?: number) => void
}

/** Ends with the test. */
export async function startChartServer(tls?: ServerOptions): Promise<ChartServer> {
  const files = new Map<string, Buffer>()
  const put: Listed[] = []
  const calls: ChartServer['calls'] = []
  const handlers: { path: RegExp; handler: Handler; left: number }[] = []
  const answer: Handler = (request, response) => {
    const path = request.url ?? ''
    calls.push({ path, authorization: request.headers.authorization })
    const scripted = handlers.find((one) => one.left > 0 && one.path.test(path))
    if (scripted) scripted.left -= 1
    if (scripted) return scripted.handler(request, response)
    const content = files.get(path.replace(/\?.*/, ''))
    if (content) response.writeHead(200, { 'content-length': content.length }).end(content)
    else response.writeHead(404).end('not here')
  }
  const server = tls ? createTlsServer(tls, answer) : createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    files,
    calls,
    count: (path) => calls.filter((call) => path.test(call.path)).length,
    put(name, version, archive) {
      files.set(`/${name}-${version}.tgz`, archive)
      put.push({ name, version })
    },
    index(entries = put) {
      files.set('/index.yaml', Buffer.from(indexOf(entries, files)))
    },
    misbehave: (path, handler, times = Number.POSITIVE_INFINITY) => void handlers.push({ path, handler, left: times }),
  }
}

function indexOf(entries: Listed[], files: Map<string, Buffer>): string {
  const byName = Map.groupBy(entries, ({ name }) => name)
  const charts = [...byName].map(
    ([name, versions]) => `  ${name}:\n${versions.map((one) => entry(one, files)).join('')}`,
  )
  return `apiVersion: v1\nentries:\n${charts.join('')}generated: "2026-01-01T00:00:00Z"\n`
}

function entry(listed: Listed, files: Map<string, Buffer>): string {
  const { name, version, url = `${name}-${version}.tgz`, created = '2024-05-01T10:20:30.123456789+02:00' } = listed
  const content = files.get(URL.canParse(url) ? new URL(url).pathname : `/${url.replace(/^\//, '')}`)
  const digest = listed.digest ?? (content ? digestOf(content).slice('sha256:'.length) : 'none')
  const lines = [
    'annotations:\n      artifacthub.io/changes: |\n        - version: 9.9.9\n      digest: none of these',
    'apiVersion: v2',
    `created: "${created}"`,
    ...(digest === 'none' ? [] : [`digest: ${digest}`]),
    'description: Some words that Go folds\n      into a second line',
    `name: ${name}`,
    `urls:\n    - ${url}`,
    `version: ${version}`,
  ]
  return `  - ${lines.join('\n    ')}\n`
}
