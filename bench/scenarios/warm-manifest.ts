/** A manifest that is kept, by digest and by a fresh tag, 16 connections, beside the distribution registry's own by digest. */
import { join } from 'node:path'
import { requestsPerSecond } from '../clients.ts'
import { manifestPath, manifestType, tag, writeImage } from '../content.ts'
import { pushBlob, pushManifest, startDistribution, startEntrepot, startNginx } from '../peers.ts'
import { compared } from '../report.ts'
import { inTurns } from '../turns.ts'
import type { Workspace } from '../workspace.ts'

const secondsEach = 3

export async function warmManifest({ folder, runs, owns }: Workspace) {
  const site = join(folder, 'site')
  const image = await writeImage(site)
  const nginx = owns(await startNginx(folder, site))
  const entrepot = owns(await startEntrepot(nginx))
  const distribution = owns(await startDistribution(folder))
  for (const blob of image.blobs) await pushBlob(distribution, blob)
  await pushManifest(distribution, tag, image.bytes)
  const rate = (peer: { url: string }, reference: string) => () =>
    requestsPerSecond(peer.url + manifestPath(reference), manifestType, secondsEach)
  const theirs = rate(distribution, image.digest)
  for (const warm of [rate(entrepot, image.digest), rate(entrepot, tag), theirs]) await warm()
  const byDigest = await inTurns(runs, { ours: rate(entrepot, image.digest), theirs })
  const byTag = await inTurns(runs, { ours: rate(entrepot, tag), theirs })
  return [
    compared('warm manifest by digest', 'requests/s', 'distribution by digest', byDigest, 3),
    compared('warm manifest by fresh tag', 'requests/s', 'distribution by digest', byTag, 3),
  ]
}
