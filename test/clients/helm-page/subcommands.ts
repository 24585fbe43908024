/** "Other subcommands" and "Specifying dependencies": everything that downloads a chart. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { block } from './documented.ts'
import type { Page } from './page.ts'
import { deploymentsIn, releasesIn } from './releases.ts'

const mychart = 'oci://localhost:5000/helm-charts/mychart'

export function otherSubcommands({ line, run, refused, file, manifest, house }: Page): void {
  describe('Other subcommands', () => {
    line('$ helm pull oci://localhost:5000/helm-charts/mychart --version 0.1.0', async () => {
      const pulled = await run(`helm pull ${mychart} --version 0.1.0`, { folder: 'pulled' })
      const { digest } = await manifest('helm-charts/mychart', '0.1.0')
      expect(pulled).toBe(`Pulled: localhost:5000/helm-charts/mychart:0.1.0\nDigest: ${digest}\n`)
      expect(await file('pulled/mychart-0.1.0.tgz')).toEqual(await file('mychart-0.1.0.tgz'))
    })

    line('$ helm pull --verify oci://localhost:5000/helm-charts/mychart --version 0.1.0', async () => {
      const verified = await run(`helm pull --verify ${mychart} --version 0.1.0`, { folder: 'verified' })
      expect(verified).toMatch(/^Signed by: helm@example\.com$/m)
      expect(verified).toMatch(/^Chart Hash Verified: sha256:\w{64}$/m)
      expect(await file('verified/mychart-0.1.0.tgz.prov')).toEqual(await file('mychart-0.1.0.tgz.prov'))
      await refused(`helm pull --verify ${mychart} --version 0.2.0`, { folder: 'verified' })
    })

    line('$ helm show all oci://localhost:5000/helm-charts/mychart --version 0.1.0', async () => {
      const shown = await run(`helm show all ${mychart} --version 0.1.0`)
      expect(shown).toMatch(
        /^apiVersion: v2\nappVersion: 1\.16\.0\ndescription: A Helm chart for Kubernetes\nname: mychart$/m,
      )
      expect(shown).toMatch(/^replicaCount: 1$/m)
    })

    line('$ helm show chart, values, readme, crds', async () => {
      await describedChart(house().folder)
      await run('helm package described')
      await run('helm push described-0.1.0.tgz oci://localhost:5000/helm-charts')
      const show = (part: string) => run(`helm show ${part} oci://localhost:5000/helm-charts/described --version 0.1.0`)
      expect(await show('chart')).toMatch(/^name: described\n/m)
      expect(await show('values')).toContain('replicaCount: 1\n')
      expect(await show('readme')).toContain('# What it is for\n')
      expect(await show('crds')).toContain('kind: CustomResourceDefinition\n')
    })

    line('$ helm template myrelease oci://localhost:5000/helm-charts/mychart --version 0.1.0', async () => {
      const rendered = await run(`helm template myrelease ${mychart} --version 0.1.0`)
      expect(rendered).toContain(
        '---\n# Source: mychart/templates/serviceaccount.yaml\napiVersion: v1\nkind: ServiceAccount\n',
      )
      expect(rendered).toContain('helm.sh/chart: mychart-0.1.0\n')
    })

    line('$ helm install myrelease oci://localhost:5000/helm-charts/mychart --version 0.1.0', async () => {
      const installed = await run(`helm install myrelease ${mychart} --version 0.1.0`)
      expect(installed).toMatch(/^STATUS: deployed\nREVISION: 1$/m)
      const [first, ...others] = releasesIn(house().cluster)
      expect(first).toMatchObject({ name: 'myrelease', revision: 1, status: 'deployed', chart: 'mychart-0.1.0' })
      expect(others).toEqual([])
      expect(deploymentsIn(house().cluster)).toEqual(['mychart-0.1.0'])
    })

    line('$ helm upgrade myrelease oci://localhost:5000/helm-charts/mychart --version 0.2.0', async () => {
      const upgraded = await run(`helm upgrade myrelease ${mychart} --version 0.2.0`)
      expect(upgraded).toContain('Release "myrelease" has been upgraded. Happy Helming!\n')
      expect(upgraded).toMatch(/^STATUS: deployed\nREVISION: 2$/m)
      const [first, second, ...others] = releasesIn(house().cluster)
      expect(first).toMatchObject({ revision: 1, status: 'superseded', chart: 'mychart-0.1.0' })
      expect(second).toMatchObject({ revision: 2, status: 'deployed', chart: 'mychart-0.2.0' })
      expect(second?.manifest).toContain('helm.sh/chart: mychart-0.2.0\n')
      expect(others).toEqual([])
      expect(deploymentsIn(house().cluster)).toEqual(['mychart-0.2.0'])
    })
  })
}

export function dependencies({ line, run, file, house }: Page): void {
  describe('Specifying dependencies', () => {
    line('$ helm dependency update fetches oci://localhost:5000/myrepo/mychart:2.7.0', async () => {
      await run('helm create parent')
      const entry = block('yaml', 'dependencies:').replaceAll('localhost:5000', house().registry)
      await appendFile(join(house().folder, 'parent', 'Chart.yaml'), `\n${entry}`)
      const updated = await run('helm dependency update parent')
      expect(updated).toContain('Pulled: localhost:5000/myrepo/mychart:2.7.0\n')
      expect(await file('parent/charts/mychart-2.7.0.tgz')).toEqual(await file('mychart-2.7.0.tgz'))
      const lock = (await file('parent/Chart.lock')).toString()
      expect(lock).toMatch(/- name: mychart\n {2}repository: oci:\/\/localhost:\d+\/myrepo\n {2}version: 2\.7\.0\n/)
    })
  })
}

/** A chart that has all that can be shown. */
async function describedChart(work: string): Promise<void> {
  const chart = join(work, 'described')
  await mkdir(join(chart, 'crds'), { recursive: true })
  await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: described\nversion: 0.1.0\n')
  await writeFile(join(chart, 'values.yaml'), 'replicaCount: 1\n')
  await writeFile(join(chart, 'README.md'), '# What it is for\n')
  await writeFile(
    join(chart, 'crds', 'crd.yaml'),
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n',
  )
}
