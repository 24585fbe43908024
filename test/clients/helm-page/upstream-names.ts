/** Pushes to names that are not hosted, at a daemon whose upstreams are of this machine: one answers, the other is not there. */
import { describe, expect } from 'vitest'
import { startDaemon } from '../../support/daemon.ts'
import { startScriptedRegistry } from '../../support/scripted-registry.ts'
import type { Page } from './page.ts'

const push = 'helm push mychart-0.1.0.tgz oci://localhost:5000'

export function upstreamNames({ line, refused }: Page): void {
  describe('Names of upstreams', () => {
    line('a push to a name of an upstream is refused with the line of the configuration', async () => {
      const upstream = await startScriptedRegistry()
      try {
        const told = await refusedBy({ 'ghcr.io': { url: upstream.url } }, `${push}/ghcr.io/team`)
        expect(told).toMatch(/405: unsupported: ghcr\.io\/team\/mychart takes no pushes.*"hosted:"/)
        expect(upstream.calls.filter(({ method }) => method !== 'HEAD' && method !== 'GET')).toEqual([])
      } finally {
        await upstream.close()
      }
    })

    line('where that upstream cannot be reached, Helm says 503 before it pushes', async () => {
      const told = await refusedBy({ 'docker.io': { url: 'http://127.0.0.1:9' } }, `${push}/team/charts`)
      expect(told).toContain('response status code 503: Service Unavailable')
    })
  })

  async function refusedBy(upstreams: Record<string, { url: string }>, command: string): Promise<string> {
    const daemon = await startDaemon({ config: { upstreams, dockerConfig: 'off' } })
    try {
      return await refused(command, { flags: ['--plain-http'], here: ['localhost:5000', daemon.host] })
    } finally {
      await daemon.stop()
    }
  }
}
