import { describe, expect, test } from 'vitest'
import type { Imported } from '../../src/charts/import-chart.ts'
import { importCharts, type ImportResult } from '../../src/charts/import-charts.ts'
import { readIndex } from '../../src/charts/index-file.ts'
import { SourceError, TargetError } from '../../src/charts/ports.ts'
import { type ChosenChart, selectCharts } from '../../src/charts/selection.ts'

const imported: Imported = { what: 'imported', bytes: 10, faults: [], notes: [] }

function selectionOf(count: number) {
  const items = Array.from({ length: count }, (_, minor) => `  - {version: 1.${minor}.0, urls: [x.tgz]}\n`)
  const index = readIndex(Buffer.from(`entries:\n  app:\n${items.join('')}`))
  const selection = selectCharts(index, { to: 'charts/', charts: [] }, new URL('http://localhost/index.yaml'))
  return { ...selection, notes: [] }
}

function bring(count: number, one: (chart: ChosenChart) => Promise<Imported>, signal = new AbortController().signal) {
  const seen: ImportResult[] = []
  const onProgress = (result: ImportResult) => void seen.push(structuredClone(result))
  return { seen, result: importCharts(selectionOf(count), { bring: one, signal, onProgress }) }
}

describe('an import', () => {
  test('has four on their way at a time', async () => {
    let [now, most] = [0, 0]
    const { result, seen } = bring(50, async () => {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now -= 1
      return imported
    })
    expect(await result).toMatchObject({ imported: 50, bytes: 500, untried: 0, isSilent: false })
    expect(most).toBe(4)
    expect(seen.map(({ untried }) => untried)).toEqual(Array.from({ length: 50 }, (_, index) => 49 - index))
  })

  test('goes on after what fails', async () => {
    const { result } = bring(30, async ({ tag }) => {
      if (tag === '1.3.0') throw new TargetError('it cannot be pushed: no room')
      if (tag === '1.4.0') throw new SourceError('absent', 'answers 404')
      return imported
    })
    const { leftOut, ...counts } = await result
    expect(counts).toMatchObject({ imported: 28, untried: 0 })
    expect(leftOut.map(({ version }) => version)).toEqual(['1.3.0', '1.4.0'])
  })

  test('ends where nobody answers for twelve charts in a row', async () => {
    const { result } = bring(100, async ({ tag }) => {
      if (tag === '1.0.0') return imported
      throw new SourceError('silent', 'refused the connection')
    })
    const { leftOut, ...counts } = await result
    expect(counts).toMatchObject({ imported: 1, isSilent: true })
    expect(leftOut.length).toBeGreaterThanOrEqual(12)
    expect(leftOut.length).toBeLessThan(16)
    expect(counts.untried).toBe(99 - leftOut.length)
  })

  test('does not end where now and then nobody answers', async () => {
    const { result } = bring(100, async ({ tag }) => {
      if (/^1\.\d*[05]\.0$/.test(tag)) return imported
      throw new SourceError('silent', 'answers 503')
    })
    expect(await result).toMatchObject({ isSilent: false, untried: 0, imported: 20 })
  })

  test('begins nothing more once it is interrupted', async () => {
    const stop = new AbortController()
    const { result } = bring(
      100,
      async ({ tag }) => {
        if (tag === '1.9.0') stop.abort()
        return imported
      },
      stop.signal,
    )
    const { untried } = await result
    expect(untried).toBeGreaterThan(85)
    expect(untried).toBeLessThan(93)
  })

  test('fails with what nobody expected, after what had begun has ended', async () => {
    let ended = 0
    const { result } = bring(100, async ({ tag }) => {
      if (tag === '1.0.0') throw new Error('the daemon has gone')
      await new Promise(setImmediate)
      ended += 1
      return imported
    })
    await expect(result).rejects.toThrow('the daemon has gone')
    expect(ended).toBe(3)
  })
})
