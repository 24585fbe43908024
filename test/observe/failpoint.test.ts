import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { failpoint } from '../../src/observe/failpoint.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

function plan(text: string) {
  vi.stubEnv('ENTREPOT_TEST_FAILPOINT', text)
}

describe('a failpoint', () => {
  test('does nothing where the variable is not set, is empty, or names another step', () => {
    expect(() => failpoint('a.step')).not.toThrow()
    plan('')
    expect(() => failpoint('a.step')).not.toThrow()
    plan('another.step')
    expect(() => failpoint('a.step')).not.toThrow()
  })

  test('throws the system error at every pass', () => {
    plan('a.step=error:ENOSPC')
    for (let pass = 0; pass < 3; pass += 1) {
      expect(() => failpoint('a.step')).toThrow(expect.objectContaining({ code: 'ENOSPC', errno: -28 }))
    }
  })

  test('throws at the pass that is named, and at no other', () => {
    plan('a.step:2=error:EIO,b.step=error:EIO')
    failpoint('a.step')
    expect(() => failpoint('a.step')).toThrow('EIO')
    failpoint('a.step')
    expect(() => failpoint('b.step')).toThrow('EIO')
  })

  test('kills the process at the pass that is named', () => {
    const source = JSON.stringify(new URL('../../src/observe/failpoint.ts', import.meta.url).href)
    const script = `
      import { writeSync } from 'node:fs'
      import { failpoint } from ${source}
      for (let pass = 1; pass < 9; pass += 1) {
        writeSync(1, String(pass))
        failpoint('a.step')
      }`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ENTREPOT_TEST_FAILPOINT: 'a.step:3' },
      encoding: 'utf8',
    })
    expect(child.stdout).toBe('123')
    expect(child.signal).toBe('SIGKILL')
  })

  test('refuses a plan that it cannot read', () => {
    plan('a.step=panic')
    expect(() => failpoint('a.step')).toThrow('"a.step=panic" is not name[:nth][=error:CODE]')
  })
})
