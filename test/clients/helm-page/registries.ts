/** "Commands for working with registries": `helm registry login`, `logout` and `helm push`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { digestOf } from './held.ts'
import type { Page } from './page.ts'

const login = 'helm registry login -u myuser localhost:5000'
const logout = 'helm registry logout localhost:5000'
const push = 'helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts'

export function registrySubcommand({ mode, line, run, refused, file, house }: Page): void {
  const kept = async () => JSON.parse((await file('../home/.config/helm/registry/config.json')).toString())

  describe('The registry subcommand', () => {
    line('$ helm registry login -u myuser localhost:5000', async () => {
      expect(await run(login, { answers: ['secret'] })).toMatch(/^Password: \nLogin Succeeded$/im)
      expect(Object.keys((await kept()).auths)).toEqual([house().registry])
    })

    line('$ helm registry logout localhost:5000', async () => {
      expect(await run(logout)).toContain('Removing login credentials for localhost:5000\n')
      expect(Object.keys((await kept()).auths ?? {})).toEqual([])
      if (!mode.access) return
      expect(await refused(push)).toContain('basic credential not found')
      await run(login, { answers: ['secret'] })
    })
  })
}

export function pushSubcommand({ line, run, refused, file, manifest, blob, tags, house }: Page): void {
  describe('The push subcommand', () => {
    line('$ helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts', async () => {
      await run('helm package mychart')
      const { digest } = /^Digest: (?<digest>sha256:\w{64})$/m.exec(await run(push))?.groups ?? {}
      const held = await manifest('helm-charts/mychart', '0.1.0')
      expect(held.digest).toBe(digest)
      const chart = await file('mychart-0.1.0.tgz')
      expect(await blob('helm-charts/mychart', digestOf(chart))).toEqual(chart)
    })

    line('only a .tgz made by helm package can be pushed', async () => {
      const folder = await refused('helm push mychart oci://localhost:5000/helm-charts')
      expect(folder).toBe('Error: cannot push directory, must provide chart archive (.tgz)\n')
      await writeFile(join(house().folder, 'other.tgz'), 'no archive')
      const other = await refused('helm push other.tgz oci://localhost:5000/helm-charts')
      expect(other).toContain("file 'other.tgz' does not appear to be a gzipped archive")
    })

    line('the reference must be prefixed with oci://', async () => {
      expect(await refused('helm push mychart-0.1.0.tgz localhost:5000/helm-charts')).toContain('not supported')
    })

    line('the reference must not contain the tag', async () => {
      const withTag = await refused('helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts/mychart:0.1.0')
      expect(withTag).toContain('Error: invalid reference: invalid tag')
    })

    line("basename and tag are the chart's name and version", async () => {
      await run('helm package mychart --version 0.2.0')
      const pushed = await run('helm push mychart-0.2.0.tgz oci://localhost:5000/helm-charts')
      expect(pushed).toContain('Pushed: localhost:5000/helm-charts/mychart:0.2.0\n')
      expect(await tags('helm-charts/mychart')).toContain('0.2.0')
    })

    line('no repository or namespace has to be created beforehand', async () => {
      await run('helm push mychart-0.1.0.tgz oci://localhost:5000/charts/never/seen/before')
      expect(await tags('charts/never/seen/before/mychart')).toEqual(['0.1.0'])
    })

    line('a name that is neither hosted nor of an upstream is refused, and why', async () => {
      const foreign = await refused('helm push mychart-0.1.0.tgz oci://localhost:5000/example.com/charts')
      expect(foreign).toContain('example.com is not an upstream of this registry')
    })

    line('a .prov beside the .tgz is pushed as an extra layer', async () => {
      await run("gpg --batch --passphrase '' --quick-generate-key helm@example.com rsa3072 sign never")
      await run('gpg --export >~/.gnupg/pubring.gpg')
      await run('gpg --export-secret-keys >secring.gpg')
      await run('helm package --sign --key helm@example.com --keyring secring.gpg mychart')
      await run(push)
      const provenance = await file('mychart-0.1.0.tgz.prov')
      expect(provenance.toString()).toContain('-----BEGIN PGP SIGNATURE-----')
      const { layers } = (await manifest('helm-charts/mychart', '0.1.0')).manifest
      expect(layers).toHaveLength(2)
      expect(layers).toContainEqual({
        mediaType: 'application/vnd.cncf.helm.chart.provenance.v1.prov',
        digest: digestOf(provenance),
        size: provenance.length,
      })
      expect(await blob('helm-charts/mychart', digestOf(provenance))).toEqual(provenance)
    })
  })
}
