import { describe, expect, test } from 'vitest'
import { helmPush } from '../../src/charts/helm-push.ts'
import { readMetadata } from '../../src/charts/metadata.ts'
import { readProvenance } from '../../src/charts/provenance.ts'
import { digestOf } from '../../src/oci/digest.ts'

const archive = { digest: digestOf(Buffer.from('an archive')), size: 10 }
const head = 'apiVersion: v2\nname: app\nversion: 1.0.0\n'

function push(chartYaml: string, more: { requirements?: string; provenance?: Buffer } = {}) {
  const requirements = more.requirements === undefined ? undefined : Buffer.from(more.requirements)
  const metadata = readMetadata(Buffer.from(chartYaml), requirements)
  const { provenance } = more
  const signed = provenance && { digest: digestOf(provenance), size: provenance.length }
  const { config, manifest } = helmPush({ metadata, archive, provenance: signed, created: '2024-05-01T10:20:30Z' })
  return { config: String(config), manifest: String(manifest) }
}

/** The same cases, and more, are compared with Helm itself in test/clients/import-charts-odd.test.ts. */
describe('what Helm would push', () => {
  test('is written in the order of its structures, without what is empty', () => {
    const { config } = push(
      `type: application\nkeywords: []\ndescription: <a & b>\nmaintainers:\n- url: u\n  name: me\nappVersion: 1.10\n${head}dependencies:\n- {name: d, tags: [x]}\n`,
    )
    expect(config).toBe(
      String.raw`{"name":"app","version":"1.0.0","description":"\u003ca \u0026 b\u003e","maintainers":[{"name":"me","url":"u"}],"apiVersion":"v2","appVersion":"1.1","dependencies":[{"name":"d","repository":"","tags":["x"]}],"type":"application"}`,
    )
  })

  test('has annotations sorted, those of the chart over ours, but for title and version', () => {
    const own = ['title', 'version', 'url'].map((name) => `  org.opencontainers.image.${name}: mine\n`).join('')
    const { manifest } = push(
      `${head}home: http://home\nmaintainers: [{name: a, email: b}, {name: c}]\nannotations:\n  b: 1\n${own}`,
    )
    expect(JSON.parse(manifest)).toMatchObject({
      annotations: {
        b: '1',
        'org.opencontainers.image.authors': 'a (b), c',
        'org.opencontainers.image.created': '2024-05-01T10:20:30Z',
        'org.opencontainers.image.title': 'app',
        'org.opencontainers.image.url': 'mine',
        'org.opencontainers.image.version': '1.0.0',
      },
    })
    expect(manifest).toMatch(
      /^\{"schemaVersion":2,"config":\{"mediaType":"application\/vnd\.cncf\.helm\.config\.v1\+json","digest"/,
    )
  })

  test('has its layers in the order of their digests', () => {
    const orders = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => {
      const { layers } = JSON.parse(push(head, { provenance: Buffer.from(text) }).manifest)
      expect(layers[0].digest < layers[1].digest).toBe(true)
      return layers[0].mediaType
    })
    expect(new Set(orders).size).toBe(2)
  })

  test('has the requirements of a chart in the old manner', () => {
    const { config } = push('name: app\nversion: 1.0.0\n', { requirements: 'dependencies: [{name: a, version: 2.0}]' })
    expect(config).toBe(
      '{"name":"app","version":"1.0.0","apiVersion":"v1","dependencies":[{"name":"a","version":"2","repository":""}]}',
    )
  })

  test.each([
    ['no name', 'version: 1.0.0', 'no name'],
    ['a name that is a path', `${head}name: ../../etc`, 'Helm refuses'],
    ['no version', 'name: app', 'no version'],
    ['a version that is none', `${head}version: one`, 'which is none'],
    ['another type', `${head}type: other`, 'neither'],
    ['an alias of its own kind', `${head}dependencies: [{name: a, alias: a/b}]`, 'alias'],
    ['a dependency twice', `${head}dependencies: [{name: a}, {name: a}]`, 'two dependencies'],
    ['a list for a text', `${head}home: [a]`, 'no text'],
    ['a text for a list', `${head}sources: a`, 'no list'],
    ['merged maps', `${head}annotations: {<<: {a: b}}`, '<<'],
    ['a tag', `${head}home: !!binary aGVsbG8=`, 'tag'],
    ['a control character', `${head}home: a\u0001b`, 'control characters'],
    ['half a surrogate pair', `${head}home: "\\ud800"`, 'surrogate'],
    ['more aliases than it can need', `${head}sources: [&a b${', *a'.repeat(101)}]`, 'aliases'],
  ])('is nothing where Chart.yaml has %s', (_what, text, words) => {
    expect(() => push(text)).toThrow(words)
  })
})

describe('a provenance', () => {
  const of = (files: string) =>
    Buffer.from(
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: a\n\n...\nfiles:\n${files}-----BEGIN PGP SIGNATURE-----\n`,
    )
  const hex = archive.digest.slice('sha256:'.length)

  test.each([
    ['names it', of(`  a-1.0.0.tgz: sha256:${hex}\n`)],
    ['names it', Buffer.from(String(of(`  a-1.0.0.tgz: sha256:${hex}\n`)).replaceAll('\n', '\r\n'))],
    ['names another', of(`  a-1.0.0.tgz: sha256:${'0'.repeat(64)}\n`)],
    ['names another', of('')],
    ['names another', Buffer.from(String(of('')).replace('name: a', `name: a\n  a-1.0.0.tgz: sha256:${hex}`))],
    ['strange', Buffer.from('<html>')],
    ['strange', Buffer.from(`  a-1.0.0.tgz: sha256:${hex}\n`)],
  ])('%s', (state, bytes) => {
    expect(readProvenance(bytes, archive.digest)).toBe(state)
  })
})
