import { describe, expect, test } from 'vitest'
import { readIndex } from '../../src/charts/index-file.ts'

const hex = 'a'.repeat(64)

function read(text: string) {
  return readIndex(Buffer.from(text))
}

const entry = {
  name: 'app',
  version: '1.2.3',
  urls: ['app-1.2.3.tgz'],
  digest: `sha256:${hex}`,
  created: '2024-05-01T10:20:30Z',
}
const written = `apiVersion: v1
entries:
  app:
  - annotations:
      changes: |
        - version: 9.9.9
        digest: none
      urls: [no]
    apiVersion: v2
    created: "2024-05-01T10:20:30.123456789Z"
    description: words that are folded
      over two lines, with name: no
    digest: ${hex}
    name: app
    sources:
    - https://example.com
    urls:
    - app-1.2.3.tgz
    version: 1.2.3
generated: "2024-05-01T10:20:30Z"
`

describe('an index', () => {
  test('is read as helm repo index writes it', () => {
    expect(read(written)).toEqual({ entries: [entry], unread: [] })
  })

  test.each([
    [
      'with other indentation',
      written.replaceAll(/^( *)(?=\S)/gm, (spaces) => spaces.repeat(2)).replaceAll('- a', '-   a'),
    ],
    ['with line ends of Windows', written.replaceAll('\n', '\r\n')],
    ['after a mark and comments', `# words\n---\n# more\n${written}`],
    ['with a mark of the byte order', `\ufeff${written}`],
    [
      'with comments between',
      written.replace(/^ {4}digest/m, '  # words\n    digest').replace('  app:', '  # words\n\n  app: # an app'),
    ],
    ['with names in quotes', written.replace('  app:', '  "app":').replace('    version:', `    'version':`)],
    ['with an empty chart before it', written.replace('  app:', '  none: []\n  app:')],
    [
      'with its entries last',
      `apiVersion: v1\ngenerated: now\n${written.replace(/^apiVersion.*\n/, '').replace(/^generated.*\n/m, '')}`,
    ],
    ['without a line end', written.trimEnd().replace(/\ngenerated.*/, '')],
    [
      'with items further in',
      written.replace(/ {2}- annotations[^]*(?=generated)/, (items) => items.replaceAll(/^(?=.)/gm, '  ')),
    ],
    ['in flow style', `{"apiVersion": v1, entries: {app: [${JSON.stringify({ ...entry, digest: hex })}]}}`],
    ['in JSON', JSON.stringify({ apiVersion: 'v1', entries: { app: [{ ...entry, digest: hex }] } })],
    [
      'in JSON over many lines',
      JSON.stringify({ apiVersion: 'v1', entries: { app: [{ ...entry, digest: hex }] } }, null, 2),
    ],
  ])('is the same %s', (_how, text) => {
    expect(read(text)).toEqual({ entries: [entry], unread: [] })
  })

  test('may have its digests with their name, and none, and no time', () => {
    const text = written.replace(hex, `sha256:${hex}`)
    expect(read(text).entries).toEqual([entry])
    const { digest: _, ...without } = entry
    expect(read(written.replace(/ *digest: a.*\n/, '')).entries).toEqual([without])
    const { created: __, ...timeless } = entry
    expect(read(written.replace(/created: .*/, 'created: yesterday')).entries).toEqual([timeless])
  })

  test.each([
    ['"2024-05-01T10:20:30.1+02:00"', '2024-05-01T10:20:30+02:00'],
    ['2024-05-01T10:20:30Z', '2024-05-01T10:20:30Z'],
    ['2024-05-01t10:20:30z', '2024-05-01T10:20:30Z'],
    ['2024-13-01T10:20:30Z', undefined],
    ['0001-01-01', undefined],
  ])('says with the time %s that it was made at %s', (time, created) => {
    expect(read(written.replace(/created: .*/, `created: ${time}`)).entries[0]?.created).toBe(created)
  })

  test('has versions as Helm reads them', () => {
    expect(read(written.replace('version: 1.2.3', 'version: 1.10')).entries[0]?.version).toBe('1.1')
    expect(read(written.replace('version: 1.2.3', 'version: "1.10"')).entries[0]?.version).toBe('1.10')
  })

  test('has the name that it stands under where it says none', () => {
    expect(read(written.replace('    name: app\n', '')).entries[0]?.name).toBe('app')
  })

  test('has no entry with a digest that is none, and says why', () => {
    const { entries, unread } = read(written.replace(hex, 'md5:123'))
    expect(entries).toEqual([])
    expect(unread).toMatchObject([{ name: 'app', version: '1.2.3', problem: expect.stringContaining('SHA-256') }])
  })

  test('loses one entry that cannot be read, and not the others', () => {
    const broken = `  - name: app\n    version: [1\n    urls:\n    - x\n`
    const { entries, unread } = read(written.replace('  - annotations', `${broken}  - annotations`))
    expect(entries).toEqual([entry])
    expect(unread).toMatchObject([{ name: 'app', problem: expect.stringContaining('cannot be read') }])
  })

  test('of nothing has nothing', () => {
    expect(read('apiVersion: v1\nentries: {}\n')).toEqual({ entries: [], unread: [] })
    expect(read('apiVersion: v1\nentries:\ngenerated: now\n')).toEqual({ entries: [], unread: [] })
    expect(read('{"apiVersion": "v1", "entries": null}')).toEqual({ entries: [], unread: [] })
  })

  test('keeps names of objects as names', () => {
    const json = `{"entries": {"__proto__": [{"name": "__proto__", "version": "1.0.0", "urls": ["x"]}], "constructor": []}}`
    expect(read(json).entries).toMatchObject([{ name: '__proto__' }])
    expect(
      read(written.replace('  app:', '  constructor:').replace('name: app', 'name: constructor')).entries,
    ).toMatchObject([{ name: 'constructor' }])
  })

  test.each([
    ['a web page', '<!doctype html><title>Sign in</title>', 'web page'],
    ['a text', 'not here', 'no index'],
    ['a list', '- a\n- b\n', 'no index'],
    ['nothing', '', 'no index'],
    ['another YAML', 'apiVersion: v1\nkind: List\n', 'no index'],
    ['entries that are a list', 'entries:\n- a\n', 'no map'],
    ['half of it in JSON', '{"entries": {"app": [', 'no YAML'],
    ['what is not UTF-8', Buffer.from([0xff, 0xfe, 0x00]), 'UTF-8'],
  ])('is not %s', (_what, text, words) => {
    expect(() => readIndex(Buffer.from(text))).toThrow(words)
  })
})

describe('a hostile index', () => {
  const bomb = (levels: number) => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < levels; level += 1) {
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`)
    }
    return lines.join('\n')
  }

  test('whose aliases multiply is refused at once', () => {
    const started = performance.now()
    const flow = `${bomb(9)}\nentries: {app: *a8}\n`
    expect(() => read(flow)).toThrow('aliases')
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test('never has its aliases multiplied where its entries are arranged as ever', () => {
    const text = `${bomb(9)}\n${written.replace('version: 1.2.3', 'version: *a8')}`
    const { entries, unread } = read(text)
    expect(entries).toEqual([])
    expect(unread).toHaveLength(1)
  })

  test('whose alias holds itself is refused', () => {
    expect(() => read('entries: &e {app: *e}\n')).toThrow()
  })

  test.each([
    ['brackets', `entries: {app: ${'['.repeat(100_000)}`],
    ['brackets of JSON', `{"entries": ${'['.repeat(100_000)}`],
    ['closed brackets', `entries: {app: ${'['.repeat(500)}${']'.repeat(500)}}`],
  ])('of nested %s is refused', (_what, text) => {
    expect(() => read(text)).toThrow()
  })

  test('of one entry that is huge loses that one', () => {
    const urls = Array.from({ length: 30_000 }, () => '    - x\n').join('')
    const { entries, unread } = read(
      written.replace('  app:\n', `  other:\n  - name: other\n    urls:\n${urls}  app:\n`),
    )
    expect(entries).toEqual([entry])
    expect(unread).toMatchObject([{ name: 'other' }])
  })

  test('is refused where only a parser could read it and it is large', () => {
    const text = `entries: {app: [${'{name: app}, '.repeat(700_000)}]}\n`
    expect(() => read(text)).toThrow('arranged')
  })
})

describe('a large index', () => {
  test('of 20,000 entries is read within seconds', () => {
    const item = written.slice(written.indexOf('  - annotations'), written.indexOf('generated'))
    const versions = Array.from({ length: 200 }, (_, minor) => item.replace('version: 1.2.3', `version: 1.${minor}.0`))
    const charts = Array.from({ length: 100 }, (_, number) => `  app-${number}:\n${versions.join('')}`)
    const started = performance.now()
    const { entries, unread } = read(`apiVersion: v1\nentries:\n${charts.join('')}`)
    expect({ entries: entries.length, unread }).toEqual({ entries: 20_000, unread: [] })
    expect(performance.now() - started).toBeLessThan(20_000)
  })
})
