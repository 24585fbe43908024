/** Fifty clients ask at once for a blob that nobody keeps yet: one request upstream, and the right bytes for each. */
import { join } from 'node:path'
import { read } from '../clients.ts'
import { blobPath, mebibyte, writeNoise } from '../content.ts'
import { startEntrepot, startNginx } from '../peers.ts'
import type { Finding } from '../report.ts'
import type { Workspace } from '../workspace.ts'

const clients = 50

export async function manyClients({ folder, owns }: Workspace): Promise<Finding[]> {
  const site = join(folder, 'site')
  const blob = await writeNoise(site, 'many', 256 * mebibyte)
  const nginx = owns(await startNginx(folder, site))
  const entrepot = owns(await startEntrepot(nginx))
  const path = blobPath(blob.digest)
  const { digests, bytes, seconds } = await read({ url: entrepot.url + path, clients, as: { kind: 'hashing' } })
  const right = digests.filter((digest) => digest === blob.digest).length
  const gets = await nginx.gets(path)
  const scenario = `${clients} clients, one cold blob of 256 MiB`
  return [
    { scenario, unit: 'upstream GETs', ours: gets, target: '1', met: gets === 1 },
    { scenario, unit: 'right digests', ours: right, target: String(clients), met: right === clients },
    { scenario, unit: 'GB/s in all, hashed', ours: bytes / seconds / 1e9, target: '', met: true },
  ]
}
