/** Pushes into hosted repositories, beside the distribution registry: one large blob, and a thousand small charts. */
import { join } from 'node:path'
import { run } from '../../test/support/process.ts'
import { push } from '../clients.ts'
import { mebibyte, writeNoise } from '../content.ts'
import { type Peer, startDistribution, startEntrepot, startNginx } from '../peers.ts'
import { compared } from '../report.ts'
import { inTurns } from '../turns.ts'
import type { Workspace } from '../workspace.ts'

const charts = { count: 1000, size: 64 * 1024, clients: 4 }

export async function pushes({ folder, runs, owns }: Workspace) {
  const site = join(folder, 'site')
  const entrepot = owns(await startEntrepot(owns(await startNginx(folder, site))))
  const distribution = owns(await startDistribution(folder))
  /** What the run before has left to write back would slow this one. */
  const settled = () => run('sync', ['-f', folder])

  async function largeBlob({ url }: Peer, turn: number): Promise<number> {
    const blob = await writeNoise(site, `push ${turn}`, 256 * mebibyte)
    await settled()
    const what = { kind: 'blob', path: blob.path, digest: blob.digest } as const
    const { bytes, seconds } = await push({ url, repository: 'local/bench/blob', what })
    return bytes / seconds / 1e9
  }

  async function smallCharts({ url }: Peer, turn: number): Promise<number> {
    await settled()
    const what = { kind: 'charts', seed: `charts ${turn}`, ...charts } as const
    const { seconds } = await push({ url, repository: `local/bench/charts/${turn}`, what })
    return charts.count / seconds
  }

  const beside = (measure: (peer: Peer, turn: number) => Promise<number>) => {
    const taken = new Map<Peer, number>()
    const next = (peer: Peer) => {
      const turn = (taken.get(peer) ?? 0) + 1
      taken.set(peer, turn)
      return measure(peer, turn)
    }
    return inTurns(runs, { ours: () => next(entrepot), theirs: () => next(distribution) })
  }
  const large = await beside(largeBlob)
  const small = await beside(smallCharts)
  const sizes = `${charts.size / 4 / 1024} to ${charts.size / 1024} KiB`
  return [
    compared('push of a blob, 256 MiB', 'GB/s', 'distribution', large, 1),
    compared(
      `push of ${charts.count} charts of ${sizes}, ${charts.clients} clients`,
      'charts/s',
      'distribution',
      small,
      1,
    ),
  ]
}
