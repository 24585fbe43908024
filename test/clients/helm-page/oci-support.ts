/** "OCI support prior to v3.8.0" and "Using an OCI-based registry": what has changed since, and holds. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { parse } from 'yaml'
import type { Page } from './page.ts'

const mychart = 'oci://localhost:5000/helm-charts/mychart'

export function ociSupport({ line, run, refused, file, tags, manifest, house }: Page): void {
  describe('OCI support prior to v3.8.0', () => {
    line('export HELM_EXPERIMENTAL_OCI=1 is not needed, and harmless', async () => {
      await run('helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts')
      const pulled = await run(`export HELM_EXPERIMENTAL_OCI=1; helm pull ${mychart} --version 0.1.0`, {
        folder: 'experimental',
      })
      expect(pulled).toContain('Pulled: localhost:5000/helm-charts/mychart:0.1.0\n')
      expect(await file('experimental/mychart-0.1.0.tgz')).toEqual(await file('mychart-0.1.0.tgz'))
    })

    line('the version of an OCI dependency can be a range', async () => {
      for (const version of ['2.7.0', '2.8.1', '3.0.0']) {
        await run(`helm package mychart --version ${version}`)
        await run(`helm push mychart-${version}.tgz oci://localhost:5000/myrepo`)
      }
      await run('helm create ranged')
      const chart = parse((await file('ranged/Chart.yaml')).toString())
      const repository = `oci://${house().registry}/myrepo`
      const dependencies = [{ name: 'mychart', version: '>=2.7.0 <3', repository }]
      await writeFile(join(house().folder, 'ranged', 'Chart.yaml'), JSON.stringify({ ...chart, dependencies }))
      await run('helm dependency update ranged')
      expect(await file('ranged/charts/mychart-2.8.1.tgz')).toEqual(await file('mychart-2.8.1.tgz'))
      expect((await file('ranged/Chart.lock')).toString()).toContain('version: 2.8.1\n')
    })

    line('+ in a version is _ in its tag', async () => {
      await run('helm package mychart --version 0.3.0+build.7')
      const pushed = await run('helm push mychart-0.3.0+build.7.tgz oci://localhost:5000/helm-charts')
      expect(pushed).toContain('Pushed: localhost:5000/helm-charts/mychart:0.3.0_build.7\n')
      expect(await tags('helm-charts/mychart')).toContain('0.3.0_build.7')
      await run(`helm pull ${mychart} --version 0.3.0+build.7`, { folder: 'builds' })
      expect(await file('builds/mychart-0.3.0+build.7.tgz')).toEqual(await file('mychart-0.3.0+build.7.tgz'))
      const shown = await run(`helm show chart ${mychart} --version 0.3.0+build.7`)
      expect(shown).toContain('\nversion: 0.3.0+build.7\n')
    })

    line('login keeps credentials where the Docker CLI does', async () => {
      const login = 'helm registry login -u myuser --registry-config ~/.docker/config.json localhost:5000'
      await run(login, { answers: ['secret'] })
      const { auths } = JSON.parse((await file('../home/.docker/config.json')).toString())
      const seen = await run('crane digest localhost:5000/helm-charts/mychart:0.1.0')
      await run('helm registry logout --registry-config ~/.docker/config.json localhost:5000')
      expect(Buffer.from(auths[house().registry].auth, 'base64').toString()).toBe('myuser:secret')
      expect(seen).toBe(`${(await manifest('helm-charts/mychart', '0.1.0')).digest}\n`)
    })

    line('the helm chart subcommand is gone', async () => {
      expect(await refused('helm chart list')).toContain('unknown command "chart"')
    })

    line('references have the prefix oci://', async () => {
      const pull = await refused('helm pull localhost:5000/helm-charts/mychart --version 0.1.0')
      expect(pull).toContain('non-absolute URLs should be in form of repo_name/path_to_chart')
    })

    line("the basename of the reference is the chart's name, its tag the version", async () => {
      await run('helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts/named')
      expect(await tags('helm-charts/named/mychart')).toEqual(['0.1.0'])
    })

    line('there is no latest tag', async () => {
      expect(await tags('helm-charts/mychart')).not.toContain('latest')
      expect(await refused(`helm pull ${mychart} --version latest`)).toContain('improper constraint: "latest"')
    })

    line('the chart layer is application/vnd.cncf.helm.chart.content.v1.tar+gzip', async () => {
      const held = await manifest('helm-charts/mychart', '0.1.0')
      expect(JSON.stringify(held.manifest['layers'])).toContain('"application/vnd.cncf.helm.chart.content.v1.tar+gzip"')
    })
  })

  describe('Using an OCI-based registry', () => {
    line('a registry has zero or more repositories of zero or more charts', async () => {
      const missing = await refused('helm show chart oci://localhost:5000/charts/team/mychart --version 0.1.0')
      expect(missing).toContain('localhost:5000/charts/team/mychart:0.1.0: not found')
      await run('helm create another')
      await run('helm package another')
      for (const name of ['mychart', 'another']) {
        await run(`helm push ${name}-0.1.0.tgz oci://localhost:5000/charts/team`)
        expect(await tags(`charts/team/${name}`)).toEqual(['0.1.0'])
      }
      expect(await tags('helm-charts/mychart')).toContain('0.1.0')
    })
  })
}
