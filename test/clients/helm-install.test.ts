/**
 * `helm install` with a version range, through the daemon as at the upstream itself: as a dry run, for which Helm 4 needs no
 * cluster and Helm 3 asks one all the same, and in earnest, against a Kubernetes API that keeps what it is given.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Daemon, logTail, startDaemon } from '../support/daemon.ts'
import { type KubernetesApi, startKubernetesApi } from '../support/kubernetes-api.ts'
import { isObject, type JsonObject } from '../support/kubernetes-patch.ts'
import { missingTools } from '../support/tools.ts'
import { startDistribution, type TestUpstream } from '../support/upstreams.ts'
import { ask, chartFile, type Helm, helms, knowing, type Outcome, pushCharts } from './helm.ts'

const missing = missingTools('distribution', 'helm3', 'helm4')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const chart = 'oci://REGISTRY/charts/alertmanager'
const install = ['install', 'one', chart, '--version', '~1.40']
const upgrade = ['upgrade', 'one', chart, '--version', '>=1.41']
const dryRun = [...install, '--dry-run=client']

let upstream: TestUpstream
let daemon: Daemon
let folder: string

describe.skipIf(missing.length > 0)(`helm install${hint}`, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-install-'))
    upstream = await startDistribution()
    const versions = ['1.40.2', '1.40.3', '1.42.0']
    const files = versions.map((version) => chartFile(`alertmanager-${version}.tgz`))
    await pushCharts(upstream, files, folder)
    daemon = await startDaemon({ config: knowing(upstream) })
  })

  beforeEach(() => onTestFailed(() => console.log(logTail(daemon))))

  afterAll(async () => {
    await daemon?.stop()
    await upstream?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a dry run by Helm 4 is the same as at the upstream, without a cluster', async () => {
    const direct = await ask({ helm: 'helm4', registry: upstream.host, folder }, dryRun)
    expect(direct.stdout).toContain('helm.sh/chart: alertmanager-1.40.3\n')
    const through = await ask({ helm: 'helm4', registry: `${daemon.host}/plain`, folder }, dryRun)
    expect(timeless(through)).toEqual(timeless(direct))
  })

  test('a dry run by Helm 3 is the same as at the upstream, and only asks the cluster', async () => {
    const direct = await inCluster('helm3', upstream.host, [dryRun])
    expect(direct.outcomes[0]?.stdout).toContain('helm.sh/chart: alertmanager-1.40.3\n')
    expect(direct.methods).toEqual(['GET'])
    expect(await inCluster('helm3', `${daemon.host}/plain`, [dryRun])).toEqual(direct)
  })

  test.each(helms)('%s installs and upgrades the same as from the upstream', async (helm) => {
    const commands = [install, upgrade, ['get', 'manifest', 'one']]
    const direct = await inCluster(helm, upstream.host, commands)
    expect(direct.outcomes.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(direct.outcomes[2]?.stdout).toContain('helm.sh/chart: alertmanager-1.42.0\n')
    expect(direct.releases).toEqual(['sh.helm.release.v1.one.v1 superseded', 'sh.helm.release.v1.one.v2 deployed'])
    expect(direct.images).toEqual(['quay.io/prometheus/alertmanager:v0.34.0'])
    expect(await inCluster(helm, `${daemon.host}/plain`, commands)).toEqual(direct)
  })

  test.each(helms)('%s rolls back and uninstalls what it installed through the daemon', async (helm) => {
    const commands = [install, upgrade, ['rollback', 'one', '1']]
    const rolledBack = await inCluster(helm, `${daemon.host}/plain`, commands)
    expect(rolledBack.releases.at(-1)).toBe('sh.helm.release.v1.one.v3 deployed')
    expect(rolledBack.images).toEqual(['quay.io/prometheus/alertmanager:v0.33.1'])
    const gone = await inCluster(helm, `${daemon.host}/plain`, [...commands, ['uninstall', 'one']])
    expect(gone.outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect({ releases: gone.releases, images: gone.images }).toEqual({ releases: [], images: [] })
  })

  test.each(helms)('%s installs with the upstream stopped', async (helm) => {
    await upstream.stop()
    const { outcomes, images } = await inCluster(helm, `${daemon.host}/plain`, [install])
    expect(outcomes.map(({ code }) => code)).toEqual([0])
    expect(images).toEqual(['quay.io/prometheus/alertmanager:v0.33.1'])
  })
})

interface Seen {
  outcomes: Outcome[]
  /** Methods of what the cluster was asked. */
  methods: string[]
  /** `name status` of each stored release. */
  releases: string[]
  /** Of the workloads that the cluster was given. */
  images: string[]
}

/** Runs commands against a new cluster. */
async function inCluster(helm: Helm, registry: string, commands: string[][]): Promise<Seen> {
  const cluster = await startKubernetesApi()
  try {
    const kubeconfig = join(await mkdtemp(join(folder, 'cluster-')), 'config')
    await cluster.writeKubeconfig(kubeconfig)
    const outcomes: Outcome[] = []
    for (const args of commands) outcomes.push(timeless(await ask({ helm, registry, folder, kubeconfig }, args)))
    const methods = [...new Set(cluster.calls.map(({ method }) => method))].toSorted()
    return { outcomes, methods, releases: cluster.objects('secrets').map(releaseOf), images: imagesIn(cluster) }
  } finally {
    await cluster.stop()
  }
}

/** Without the second in which it was deployed. */
function timeless(outcome: Outcome): Outcome {
  return { ...outcome, stdout: outcome.stdout.replaceAll(/^LAST DEPLOYED: .*$/gm, 'LAST DEPLOYED: then') }
}

function releaseOf(secret: JsonObject): string {
  const { metadata } = secret
  const { name, labels } = isObject(metadata) ? metadata : {}
  return `${String(name)} ${isObject(labels) ? String(labels['status']) : 'without labels'}`
}

function imagesIn(cluster: KubernetesApi): string[] {
  return [...JSON.stringify(cluster.objects('statefulsets')).matchAll(/"image":"([^"]+)"/g)].map(
    ([, image = '']) => image,
  )
}
