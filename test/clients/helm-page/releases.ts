/** Helm's releases as it records them in a cluster: a Secret each, whose value is gzipped JSON in base64, in base64. */
import { gunzipSync } from 'node:zlib'
import type { KubernetesApi } from '../../support/kubernetes-api.ts'
import { isObject } from '../../support/kubernetes-patch.ts'

export interface Release {
  name: string
  revision: number
  status: string
  /** `name-version`. */
  chart: string
  /** What was applied. */
  manifest: string
}

interface Stored {
  name: string
  version: number
  info: { status: string }
  chart: { metadata: { name: string; version: string } }
  manifest: string
}

/** In the order in which they were made. */
export function releasesIn(cluster: KubernetesApi): Release[] {
  return cluster.objects('secrets').flatMap(({ type, data }) => {
    if (type !== 'helm.sh/release.v1' || !isObject(data)) return []
    const { name, version, info, chart, manifest } = storedIn(String(data['release']))
    const { metadata } = chart
    return [{ name, revision: version, status: info.status, chart: `${metadata.name}-${metadata.version}`, manifest }]
  })
}

function storedIn(value: string): Stored {
  const text = Buffer.from(value, 'base64').toString()
  return JSON.parse(gunzipSync(Buffer.from(text, 'base64')).toString())
}

/** The chart of each Deployment, as its label says. */
export function deploymentsIn(cluster: KubernetesApi): string[] {
  return cluster.objects('deployments').map(({ metadata }) => {
    const labels = isObject(metadata) ? metadata['labels'] : undefined
    return isObject(labels) ? String(labels['helm.sh/chart']) : 'without labels'
  })
}
