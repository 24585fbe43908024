/** A blob that nobody keeps yet, through us and through the distribution registry's proxy, from the same nginx; fresh folders every run. */
import { join } from 'node:path'
import { run } from '../../test/support/process.ts'
import { throughput } from '../clients.ts'
import { blobPath, mebibyte, writeNoise } from '../content.ts'
import { type Peer, startDistribution, startEntrepot, startNginx } from '../peers.ts'
import { compared } from '../report.ts'
import { inTurns } from '../turns.ts'
import type { Workspace } from '../workspace.ts'

export async function coldBlob({ folder, runs, owns }: Workspace) {
  const site = join(folder, 'site')
  const blob = await writeNoise(site, 'cold', 1024 * mebibyte)
  const nginx = owns(await startNginx(folder, site))
  const once = async (start: () => Promise<Peer>) => {
    const proxy = await start()
    try {
      // What the run before has left to write back would slow this one.
      await run('sync', ['-f', folder])
      return await throughput(proxy.url + blobPath(blob.digest))
    } finally {
      await proxy.stop()
    }
  }
  const turns = await inTurns(runs, {
    ours: () => once(() => startEntrepot(nginx)),
    theirs: () => once(() => startDistribution(folder, nginx)),
  })
  return [compared('cold blob, 1 GiB', 'GB/s', 'distribution proxy', turns, 0.9)]
}
