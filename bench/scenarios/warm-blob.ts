/** A blob that is kept and was verified lately, one stream, beside nginx with sendfile over the same bytes. */
import { join } from 'node:path'
import { throughput } from '../clients.ts'
import { blobPath, mebibyte, writeNoise } from '../content.ts'
import { pushBlob, startDistribution, startEntrepot, startNginx } from '../peers.ts'
import { compared } from '../report.ts'
import { inTurns } from '../turns.ts'
import type { Workspace } from '../workspace.ts'

export async function warmBlob({ folder, runs, owns }: Workspace) {
  const site = join(folder, 'site')
  const blob = await writeNoise(site, 'warm', 1024 * mebibyte)
  const nginx = owns(await startNginx(folder, site))
  const entrepot = owns(await startEntrepot(nginx))
  const distribution = owns(await startDistribution(folder))
  await pushBlob(distribution, blob)
  const path = blobPath(blob.digest)
  const ours = () => throughput(entrepot.url + path)
  const theirs = (peer: { url: string }) => () => throughput(peer.url + path)
  await ours()
  const beside = (peer: { url: string }) => inTurns(runs, { ours, theirs: theirs(peer) })
  return [
    compared('warm blob, 1 GiB, one stream', 'GB/s', 'nginx sendfile', await beside(nginx), 1),
    compared('warm blob, 1 GiB, one stream', 'GB/s', 'distribution', await beside(distribution), 1),
  ]
}
