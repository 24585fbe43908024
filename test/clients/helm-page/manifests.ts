/** "Helm chart manifest": the page's two examples beside what the daemon holds, and those of docs/helm.md. */
import { describe, expect } from 'vitest'
import { isObject, type JsonObject } from '../../support/kubernetes-patch.ts'
import { block } from './documented.ts'
import { digestOf } from './held.ts'
import type { Page } from './page.ts'

/** What differs from chart to chart is left out. */
const config = { mediaType: 'application/vnd.cncf.helm.config.v1+json' }
const chart = { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip' }
const provenance = { mediaType: 'application/vnd.cncf.helm.chart.provenance.v1.prov' }
const annotations = ['created', 'description', 'title', 'version'].map((name) => `org.opencontainers.image.${name}`)

export function chartManifest({ line, file, manifest, blob }: Page): void {
  const descriptor = (mediaType: string, content: Uint8Array) => {
    return { mediaType, digest: digestOf(content), size: content.length }
  }

  describe('Helm chart manifest', () => {
    line('example of a chart manifest', async () => {
      const held = (await manifest('helm-charts/mychart', '0.2.0')).manifest
      expect(shapeOf(held)).toEqual({ schemaVersion: 2, config, layers: [chart], annotations })
      expect(shapeOf(held)).toEqual(shapeOf(JSON.parse(block('json', '  "schemaVersion": 2,'))))
      expect(held['layers']).toEqual([descriptor(chart.mediaType, await file('mychart-0.2.0.tgz'))])
      const { digest } = held['config'] as { digest: string }
      const metadata = await blob('helm-charts/mychart', digest)
      expect(held['config']).toEqual(descriptor(config.mediaType, metadata))
      expect(JSON.parse(metadata.toString())).toMatchObject({ name: 'mychart', version: '0.2.0', apiVersion: 'v2' })
    })

    line('example with a provenance file, the extra layer', async () => {
      const held = (await manifest('helm-charts/mychart', '0.1.0')).manifest
      const layers = [
        descriptor(chart.mediaType, await file('mychart-0.1.0.tgz')),
        descriptor(provenance.mediaType, await file('mychart-0.1.0.tgz.prov')),
      ]
      // Helm orders layers by digest, as the page's example happens to have them.
      expect(held['layers']).toEqual(layers.toSorted((one, other) => (one.digest < other.digest ? -1 : 1)))
      expect(shapeOf({ ...held, layers })).toEqual({
        schemaVersion: 2,
        config,
        layers: [chart, provenance],
        annotations,
      })
      expect(JSON.parse(block('json', '[')).map(mediaTypeOf)).toEqual([provenance, chart])
    })
  })
}

/** Its keys in order, of descriptors the media types, of annotations the names. @throws for descriptors that have more */
function shapeOf(manifest: JsonObject): JsonObject {
  const entries = Object.entries(manifest).map(([key, value]) => {
    if (key === 'annotations') return [key, Object.keys(isObject(value) ? value : {})]
    if (Array.isArray(value)) return [key, value.map(mediaTypeOf)]
    return [key, isObject(value) ? mediaTypeOf(value) : value]
  })
  return Object.fromEntries(entries)
}

function mediaTypeOf(descriptor: unknown): JsonObject {
  if (!isObject(descriptor) || Object.keys(descriptor).join() !== 'mediaType,digest,size') {
    throw new Error(`no descriptor as on the page: ${JSON.stringify(descriptor)}`)
  }
  return { mediaType: descriptor['mediaType'] }
}
