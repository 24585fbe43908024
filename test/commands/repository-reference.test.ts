/** Repositories as people write them on a command line. */
import { describe, expect, it } from 'vitest'
import { readRepository } from '../../src/commands/repository-reference.ts'
import { parsePattern } from '../../src/oci/pattern.ts'
import { loadConfig } from '../../src/config/load.ts'
import { entrepot, setUp } from './cli.ts'

const config = loadConfig({ flags: {}, env: {}, home: '/home/somebody' })

describe('a repository that begins with hosted/', () => {
  it.each(['hosted/helm-charts/mychart', 'oci://localhost:5000/hosted/helm-charts/mychart'])(
    'is refused with the name to write, since rules alone spell it so: %s',
    (text) => {
      expect(() => readRepository(text, config)).toThrow(
        'hosted/helm-charts/mychart is a spelling for rules and profiles: leave hosted/ out and write helm-charts/mychart.',
      )
    },
  )

  it('is taken where such names are hosted, or an upstream is called so, or the upstream is named', () => {
    const pattern = parsePattern('hosted/**')
    const [first] = config.upstreams
    if (!pattern || !first) throw new TypeError('no pattern, or no upstream')
    const name = 'hosted/app'
    expect(readRepository(name, { ...config, hosted: [pattern] })).toEqual({ name })
    expect(readRepository(name, { ...config, upstreams: [{ ...first, alias: 'hosted' }] })).toEqual({ name })
    expect(readRepository('docker.io/hosted/app', config)).toEqual({ name: 'docker.io/hosted/app' })
  })

  it('is refused before any upstream is asked', async () => {
    const { flags, home, upstream } = await setUp()
    const { code, stderr } = await entrepot(['resolve', 'hosted/up/node', '*', ...flags], home)
    expect(code).toBe(1)
    expect(stderr).toContain('write up/node.')
    expect(upstream.calls).toEqual([])
  })
})
