import { describe, expect, it } from 'vitest'
import type { ImportResult } from '../../src/charts/import-charts.ts'
import { createProgress, summary } from '../../src/commands/import-charts-report.ts'

const result: ImportResult = {
  chosen: 10,
  imported: 3,
  there: 2,
  bytes: 1_250_000,
  leftOut: [],
  notes: [],
  untried: 5,
  isSilent: false,
}
const nothing = { chosen: [], others: 0, leftOut: [], notes: [] }
const facts = { source: 'http://x/index.yaml', to: 'charts/', selection: nothing, isDry: false }

function written(isTTY: boolean, every = 0) {
  const lines: string[] = []
  const progress = createProgress(
    { isTTY, write: (line: string) => lines.push(line) > 0 },
    { every, terminalEvery: every },
  )
  return { lines, progress }
}

describe('the progress of an import', () => {
  it('is one line that is written over on a terminal, and gone in the end', () => {
    const { lines, progress } = written(true)
    progress.show(result)
    progress.end()
    expect(lines).toEqual(['\r\u001B[2K5 of 10: 3 imported (1.3 MB), 2 there already, 0 left out', '\r\u001B[2K'])
  })

  it('is a line of its own elsewhere', () => {
    const { lines, progress } = written(false)
    progress.show(result)
    progress.end()
    expect(lines).toEqual(['5 of 10: 3 imported (1.3 MB), 2 there already, 0 left out\n'])
  })

  it('is not said more often than now and then', () => {
    const { lines, progress } = written(false, 60_000)
    progress.show(result)
    expect(lines).toEqual([])
  })
})

describe('the end of an import', () => {
  it('names all that was left out, and of what is to be known some', () => {
    const remark = (name: string, reason: string) => ({ name, version: '1.0.0', reason })
    const notes = ['a', 'b', 'c', 'd', 'e'].map((name) => remark(name, 'no digest'))
    const text = summary({
      ...facts,
      selection: { ...nothing, others: 4 },
      result: {
        ...result,
        untried: 5,
        leftOut: [remark('x', 'answers 404'), remark('y', 'answers 404')],
        notes: [...notes, remark('f', 'large')],
      },
    })
    expect(text).toBe(
      [
        'into charts/: 3 imported (1.3 MB), 2 there already, 2 left out; 4 were not asked for',
        'not tried: 5',
        'left out:',
        '  x 1.0.0: answers 404',
        '  y 1.0.0: answers 404',
        'to be known:',
        '  a 1.0.0, b 1.0.0, c 1.0.0 and 2 more: no digest',
        '  f 1.0.0: large',
        '',
      ].join('\n'),
    )
  })

  it('has no commands for the terminal in what comes from elsewhere', () => {
    const leftOut = [{ name: 'x\u001B[2J', version: '1', reason: 'r' }]
    expect(summary({ ...facts, result: { ...result, leftOut } })).not.toContain('\u001B')
  })
})
