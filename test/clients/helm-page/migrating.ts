/** "Migrating from chart repos": `helm pull` from a classic chart repository, `helm push` of what came. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { digestOf } from './held.ts'
import type { Page } from './page.ts'

export function migrating({ line, run, file, blob, house }: Page): void {
  describe('Migrating from chart repos', () => {
    line('$ helm pull from an index.yaml, then $ helm push', async () => {
      const repository = join(house().folder, 'repository')
      await mkdir(repository)
      await copyFile(join(house().folder, 'another-0.1.0.tgz'), join(repository, 'another-0.1.0.tgz'))
      await run('helm repo index repository')
      const server = await serve(repository)
      try {
        const folder = 'migrated'
        await run('helm pull another --repo https://charts.example.com --version 0.1.0', {
          folder,
          here: ['https://charts.example.com', server.url],
        })
        await run('helm push another-0.1.0.tgz oci://localhost:5000/charts/migrated', { folder })
        const chart = await file('another-0.1.0.tgz')
        expect(await blob('charts/migrated/another', digestOf(chart))).toEqual(chart)
      } finally {
        await server.close()
      }
    })
  })
}

/** The files of a folder, as any web server does. */
async function serve(folder: string) {
  const server = createServer((request, response) => {
    createReadStream(join(folder, new URL(request.url ?? '/', 'http://localhost').pathname))
      .on('error', () => response.writeHead(404).end())
      .pipe(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
