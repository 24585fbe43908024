import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readArchive } from '../../src/charts/archive.ts'
import { type Member, paxRecord, tar, tgz } from './archives.ts'

const chartYaml: Member = { name: 'a/Chart.yaml', content: 'name: a\n' }

async function* inPieces(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function read(members: Member[]) {
  return readArchive(inPieces(tgz(members)))
}

describe('the archive of a chart', () => {
  test('gives its Chart.yaml, and when that was written', async () => {
    const { chartYaml: bytes, modified } = await read([{ name: 'a/values.yaml', content: 'x: 1' }, chartYaml])
    expect(String(bytes)).toBe('name: a\n')
    expect(modified).toBe(1_700_000_000_000)
  })

  test.each([1, 7, 511, 4096])('is read whatever pieces it arrives in: %i bytes', async (size) => {
    const filler = { name: 'a/README.md', content: 'x'.repeat(1500) }
    const { chartYaml: bytes } = await readArchive(inPieces(tgz([filler, chartYaml, filler]), size))
    expect(String(bytes)).toBe('name: a\n')
  })

  test('gives the requirements of a chart in the old manner', async () => {
    const found = await read([chartYaml, { name: 'a/requirements.yaml', content: 'dependencies: []\n' }])
    expect(String(found.requirements)).toBe('dependencies: []\n')
  })

  test('is not that of a chart inside it', async () => {
    const inner = { name: 'a/charts/b/Chart.yaml', content: 'name: b\n' }
    expect(String((await read([inner, chartYaml, inner])).chartYaml)).toBe('name: a\n')
  })

  test.each<[string, Member[]]>([
    ['of ustar, in two parts', [{ ...chartYaml, name: 'Chart.yaml', prefix: 'long/..' }]],
    [
      'of GNU',
      [
        { name: '././@LongLink', type: 'L', content: `a/Chart.yaml\0` },
        { ...chartYaml, name: 'a/Cha' },
      ],
    ],
    [
      'of pax',
      [
        { name: 'pax', type: 'x', content: paxRecord('path', 'a/Chart.yaml') },
        { ...chartYaml, name: 'a/Cha' },
      ],
    ],
  ])('has long names %s', async (how, members) => {
    const reading = read(members)
    if (how.startsWith('of ustar')) await expect(reading).rejects.toThrow('outside')
    else expect(String((await reading).chartYaml)).toBe('name: a\n')
  })

  test('has a long name for one file only', async () => {
    const renamed = [{ name: 'pax', type: 'x', content: paxRecord('path', 'a/other') }, { name: 'a/x' }]
    expect(String((await read([...renamed, chartYaml])).chartYaml)).toBe('name: a\n')
  })

  test('has sizes beyond octal, in pax', async () => {
    const content = 'name: a\nversion: 1\n'
    const members = [
      { name: 'pax', type: 'x', content: paxRecord('size', String(content.length)) },
      { name: 'a/Chart.yaml', content, size: 0 },
    ]
    expect(String((await read(members)).chartYaml)).toBe(content)
  })
})

test('a file of more than 5 MiB is what Helm 3 refuses a chart for', async () => {
  const large = { name: 'a/b', content: Buffer.alloc(5 * 1024 * 1024 + 1) }
  expect(await read([large, chartYaml])).toMatchObject({ tooLargeForHelm3: 'b' })
  expect(await read([chartYaml])).not.toHaveProperty('tooLargeForHelm3')
})

describe('an archive is refused', () => {
  test.each<[string, Buffer, string]>([
    ['that is no gzip', Buffer.from('<html>not here</html>'), 'no gzip'],
    ['of nothing', Buffer.alloc(0), 'no gzip'],
    ['that breaks off', tgz([chartYaml, { name: 'a/b', content: 'x'.repeat(9999) }]).subarray(0, 90), 'damaged'],
    ['with a wrong sum', damaged(tgz([chartYaml])), 'damaged'],
    ['that holds no tar', gzipSync('x'.repeat(2000)), 'no tar'],
    [
      'whose tar breaks off',
      gzipSync(tar([{ name: 'a/b', content: 'x'.repeat(9999) }]).subarray(0, 2000)),
      'breaks off',
    ],
    ['without a Chart.yaml', tgz([{ name: 'a/b' }]), 'no Chart.yaml'],
    ['with two of them', tgz([chartYaml, chartYaml]), 'two files'],
    ['with one that is a link', tgz([{ ...chartYaml, type: '2' }]), 'no file'],
    ['without a folder', tgz([{ ...chartYaml, name: 'Chart.yaml' }]), 'folder'],
    ['with a path that leaves it', tgz([chartYaml, { name: 'a/../../x' }]), 'outside'],
    ['with an absolute path', tgz([chartYaml, { name: 'a//x' }]), 'absolute'],
    ['with a drive', tgz([chartYaml, { name: 'a/c:/x' }]), 'absolute'],
    ['with damaged pax records', tgz([{ name: 'p', type: 'x', content: '99 path=a\n' }, chartYaml]), 'pax'],
    ['with pax records without a length', tgz([{ name: 'p', type: 'x', content: 'path=a\n' }, chartYaml]), 'pax'],
    [
      'with an endless name',
      tgz([{ name: 'p', type: 'L', content: 'x'.repeat(1024 * 1024 + 1) }, chartYaml]),
      'too long',
    ],
    [
      'with a sparse file',
      tgz([{ name: 'p', type: 'x', content: paxRecord('GNU.sparse.size', '9') }, chartYaml]),
      'sparse',
    ],
    [
      'with a Chart.yaml of more than 5 MiB',
      tgz([{ ...chartYaml, content: Buffer.alloc(5 * 1024 * 1024 + 1) }]),
      'larger',
    ],
  ])('%s', async (_what, bytes, words) => {
    await expect(readArchive(inPieces(bytes, 1000))).rejects.toThrow(words)
  })

  test('that unpacks to more than 100 MiB, without its being unpacked to the end', async () => {
    const part = { name: 'a/b', content: Buffer.alloc(5 * 1024 * 1024) }
    const bomb = gzipSync(tar(Array.from({ length: 40 }, () => part)), { level: 1 })
    const step = Math.ceil(bomb.length / 200)
    let given = 0
    async function* counted() {
      for await (const piece of inPieces(bomb, step)) {
        given += piece.length
        yield piece
      }
    }
    await expect(readArchive(counted())).rejects.toThrow('larger than')
    expect(given).toBeLessThan(bomb.length * 0.8)
  })

  test('that is a bomb of headers', async () => {
    const headers = tar([{ name: 'a/b' }]).subarray(0, 512)
    async function* bomb() {
      for (let index = 0; index < 20; index += 1) yield gzipSync(Buffer.alloc(8 * 1024 * 1024, headers), { level: 1 })
    }
    await expect(readArchive(bomb())).rejects.toThrow('larger than')
  })

  test('whose source fails, with what it failed by below', async () => {
    async function* failing() {
      yield tgz([chartYaml]).subarray(0, 10)
      throw new Error('the disk has failed')
    }
    await expect(readArchive(failing())).rejects.toThrow()
  })
})

/** The last bytes are the sum and the size of the content. */
function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length - 8] = (copy[copy.length - 8] ?? 0) ^ 1
  return copy
}
