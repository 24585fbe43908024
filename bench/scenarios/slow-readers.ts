/** 64 clients read one blob of 8 GiB at 1 MiB/s each, first while it arrives, then from what is kept: how much memory the daemon takes. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { read } from '../clients.ts'
import { blobPath, mebibyte, writeSparse } from '../content.ts'
import { type Peer, startEntrepot, startNginx } from '../peers.ts'
import type { Finding } from '../report.ts'
import type { Workspace } from '../workspace.ts'

const clients = 64
const limit = 256

export async function slowReaders({ folder, seconds, owns }: Workspace): Promise<Finding[]> {
  const site = join(folder, 'site')
  const blob = await writeSparse(site, 8192 * mebibyte)
  const nginx = owns(await startNginx(folder, site))
  const path = blobPath(blob.digest)
  const data = join(folder, 'data')
  const findings: Finding[] = []
  for (const state of ['cold', 'warm']) {
    const entrepot = owns(await startEntrepot(nginx, { data }))
    const as = { kind: 'slow', bytesPerSecond: mebibyte, seconds } as const
    const { fewest } = await read({ url: entrepot.url + path, clients, as })
    const peak = await peakMemory(entrepot)
    const scenario = `${clients} readers at 1 MiB/s for ${seconds} s, 8 GiB ${state}`
    findings.push({ scenario, unit: 'MiB peak RSS', ours: peak, target: `<= ${limit}`, met: peak <= limit })
    const rate = fewest / mebibyte / seconds
    findings.push({ scenario, unit: 'MiB/s of the slowest reader', ours: rate, target: '>= 0.9', met: rate >= 0.9 })
    if (state === 'cold') await kept(entrepot.url + path)
    await entrepot.stop()
  }
  return findings
}

/** A blob is a hit once it is kept, not before. */
async function kept(url: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const response = await fetch(url, { method: 'HEAD' })
    if (response.headers.get('entrepot-cache') === 'hit') return
    await setTimeout(500)
  }
  throw new Error(`${url} is not kept after five minutes`)
}

/** MiB: the most resident memory of a process since its start. */
async function peakMemory({ pid }: Pick<Peer, 'pid'>): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) / 1024
}
