/** `versionRanges` and `profiles`: what is taken, what is refused, and what a repository gets. */
import { describe, expect, test } from 'vitest'
import { createRangeRules } from '../../src/repository/range-rules.ts'
import { createHome, upstreamOf } from './support.ts'

function rulesOf(yaml: string | undefined, env: NodeJS.ProcessEnv = {}) {
  return createRangeRules(createHome().load(yaml, { env }))
}

describe('versionRanges', () => {
  test.each(['on', 'off', 'partials'])('%s is a word in YAML, with or without quotes', (mode) => {
    expect(createHome().load(`versionRanges: ${mode}`).versionRanges).toBe(mode)
    expect(createHome().load(`versionRanges: '${mode}'`).versionRanges).toBe(mode)
    const env = { ENTREPOT_VERSION_RANGES: mode }
    expect(createHome().load(undefined, { env }).versionRanges).toBe(mode)
  })

  test.each([
    ['true', 'true'],
    ['false', 'false'],
    ['yes', '"yes"'],
    ['On', '"On"; did you mean on?'],
    ['1', '1'],
  ])('%s is refused with what it may be', (text, shown) => {
    expect(createHome().problems(`versionRanges: ${text}`)).toEqual([
      `c.yaml:1:1: versionRanges: must be on or off or partials, not ${shown}`,
    ])
  })

  test('a file of YAML 1.1, where on is true, is told so too', () => {
    const said = createHome().problems('%YAML 1.1\n---\nversionRanges: on').join()
    expect(said).toContain('versionRanges: must be on or off or partials')
  })

  test('of an upstream wins over the one at the top', () => {
    const yaml = 'versionRanges: partials\nupstreams:\n  ghcr.io:\n    versionRanges: off\n  quay.io: {}'
    const config = createHome().load(yaml)
    expect(upstreamOf(config, 'ghcr.io').versionRanges).toBe('off')
    expect(upstreamOf(config, 'quay.io').versionRanges).toBe('partials')
    const rules = createRangeRules(config)
    expect(rules('ghcr.io/org/app').mode).toBe('off')
    expect(rules('docker.io/library/node').mode).toBe('partials')
    expect(rules('hosted/charts/app').mode).toBe('partials')
  })
})

describe('profiles', () => {
  test.each([
    ['docker.io/library/node', 'image'],
    ['hosted/charts/prometheus', 'helm'],
    ['hosted/helm-charts/a/b', 'helm'],
    ['hosted/myrepo/app', 'helm'],
    ['hosted/local/app', 'image'],
    ['ghcr.io/charts/app', 'image'],
  ])('without any: %s is read as %s', (key, profile) => {
    expect(rulesOf(undefined)(key).profile).toBe(profile)
  })

  test.each([
    ['ghcr.io/org/charts/app', 'helm'],
    ['ghcr.io/org/charts/a/b', 'helm'],
    ['ghcr.io/org/charts/old', 'helm-legacy'],
    ['ghcr.io/org/app', 'argo'],
    ['ghcr.io/other/app', 'flux'],
    ['quay.io/org/app', 'image'],
    ['quay.io/a/charts/b', 'flux'],
    ['registry.example.com:5000/app', 'helm'],
    ['hosted/charts/app', 'image'],
  ])('the most specific pattern decides, whatever the order: %s is %s', (key, profile) => {
    const entries = [
      'ghcr.io/**: flux',
      '"**/charts/**": flux',
      'ghcr.io/org/charts/**: helm',
      'ghcr.io/org/charts/old: helm-legacy',
      'ghcr.io/*/app: flux',
      'ghcr.io/org/*: argo',
      'registry.example.com:5000/**: helm',
      'hosted/charts/*: image',
    ]
    const upstreams = 'upstreams:\n  registry.example.com:5000: {}\n'
    for (const ordered of [entries, entries.toReversed()]) {
      const yaml = `${upstreams}profiles:\n${ordered.map((entry) => `  ${entry}\n`).join('')}`
      expect(rulesOf(yaml)(key).profile).toBe(profile)
    }
  })

  test('an upstream may be named by any of its names', () => {
    const yaml =
      'upstreams:\n  reg.example:5000:\n    alias: reg\nprofiles:\n  index.docker.io/library/*: flux\n  reg/**: helm\n  GHCR.io/a: argo'
    const rules = rulesOf(yaml)
    expect(rules('docker.io/library/node').profile).toBe('flux')
    expect(rules('reg.example:5000/app').profile).toBe('helm')
    expect(rules('ghcr.io/a').profile).toBe('argo')
  })

  test.each([
    ['ghcr.io/a: npm', 'must be helm or helm-legacy or flux or argo or image'],
    ['ghcr.i/a: helm', 'ghcr.i is neither hosted nor a known upstream; did you mean ghcr.io?'],
    ['charts/**: helm', 'charts is neither hosted nor a known upstream'],
    ['ghcr.io: helm', 'must be <upstream host>/<name> or hosted/<name>'],
    ['ghcr.io/A: helm', 'must be in lower case, as all names are: ghcr.io/a'],
    ['ghcr.io/**/a/**/b/**: helm', 'must be <upstream host>/<name> or hosted/<name>'],
    ['https://ghcr.io/a: helm', 'must be <upstream host>/<name> or hosted/<name>'],
  ])('%s stops the start', (entry, reason) => {
    const [problem = '', ...more] = createHome().problems(`profiles:\n  ${entry}`)
    expect(problem).toMatch(/^c\.yaml:2:3: profiles\./)
    expect(problem).toContain(reason)
    expect(more).toEqual([])
  })

  test('two patterns for the same repositories stop the start', () => {
    const yaml = 'profiles:\n  docker.io/library/node: helm\n  index.docker.io/library/node: image'
    expect(createHome().problems(yaml).join()).toContain('mean the same repositories: docker.io/library/node')
  })
})
