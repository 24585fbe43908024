import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { OciError, UpstreamError } from '../../src/oci/errors.ts'
import { createLog, type LogFields, type LogLevel } from '../../src/observe/log.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const source = JSON.stringify(new URL('../../src/observe/log.ts', import.meta.url).href)

/** What one call writes, as text and parsed. */
async function written(message: string, fields?: LogFields, level: LogLevel = 'info') {
  const path = join(await temporaryDirectory(), 'log')
  const fd = openSync(path, 'w')
  const log = createLog(level, { fd })
  log.info(message, fields)
  await log.flush()
  closeSync(fd)
  const text = readFileSync(path, 'utf8')
  const lines: Record<string, unknown>[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  return { text, lines, line: lines[0] ?? {} }
}

describe('a line', () => {
  test('is JSON with time, level, message and fields', async () => {
    const { line } = await written('pulled', { repository: 'docker.io/library/alpine', size: 12, cached: true })
    expect(line).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      repository: 'docker.io/library/alpine',
      size: 12,
      cached: true,
      msg: 'pulled',
    })
  })

  test('is not written below the level', async () => {
    expect((await written('pulled', {}, 'warn')).text).toBe('')
    expect((await written('pulled', {}, 'silent')).text).toBe('')
  })

  test('holds at most 512 characters of a text, and 50 members of a list', async () => {
    const { line } = await written('m'.repeat(9000), {
      name: 'n'.repeat(9000),
      list: Array.from({ length: 99 }, () => 'x'),
    })
    expect(String(line.msg)).toHaveLength(512)
    expect(String(line.name)).toHaveLength(512)
    expect(line.list).toHaveLength(50)
  })

  test('shows control and invisible characters escaped, so that nothing moves the cursor of a terminal', async () => {
    const { line, lines } = await written('a\nb\u001b[2J', { name: '\u0000\u007f\u009b\u202e\u2028\ud800' })
    expect(lines).toHaveLength(1)
    expect(line.msg).toBe('a\\u000ab\\u001b[2J')
    expect(line.name).toBe('\\u0000\\u007f\\u009b\\u202e\\u2028\\ud800')
  })

  test('shows no secret, wherever its field stands', async () => {
    const secret = 'hunter2hunter2'
    const { text, line } = await written('asked', {
      password: secret,
      upstream: { Authorization: secret, deep: [{ refresh_token: secret, headers: { cookie: secret } }] },
      identitytoken: secret,
      apiKey: secret,
      note: `Authorization: Bearer ${secret}, then Basic ${secret}`,
      name: 'kept',
    })
    expect(text).not.toContain(secret)
    expect(line).toMatchObject({ password: '[redacted]', name: 'kept', upstream: { Authorization: '[redacted]' } })
  })

  test('shows URLs and request targets without user info and query', async () => {
    const { text, line } = await written('GET /v2/a/blobs/sha256:1?sig=hidden failed', {
      url: 'https://user:hidden@cdn.example/blob?X-Amz-Signature=hidden#hidden',
      error: new Error('fetch of "https://cdn.example/a?sig=hidden" failed'),
    })
    expect(text).not.toContain('hidden')
    expect(line.msg).toBe('GET /v2/a/blobs/sha256:1 failed')
    expect(line.url).toBe('https://cdn.example/blob')
    expect(line.error).toMatchObject({ message: 'fetch of "https://cdn.example/a" failed' })
  })

  test('shows of an error its type, code, message, place and cause, and nothing else that it carries', async () => {
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC', request: { headers: 'hidden' } })
    const { text, line } = await written('failed', { error: new TypeError('bad', { cause }) })
    expect(line.error).toMatchObject({
      type: 'TypeError',
      message: 'bad',
      cause: { code: 'ENOSPC', message: 'no space' },
    })
    expect(line.error).toHaveProperty('stack.0', expect.stringContaining('log.test.ts'))
    expect(text).not.toContain('hidden')
  })

  test('shows of an error that the house throws its code, detail and causes in words, without stacks', async () => {
    const refusal = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
    const dial = new AggregateError([refusal], '', { cause: refusal })
    const cause = new OciError('UNAVAILABLE', 'the token server is away', {
      cause: Object.assign(dial, { code: 'ETIMEDOUT' }),
    })
    const error = new UpstreamError('a.example', 'unreachable', 'UNAVAILABLE', 'a.example is away', { cause })
    const { line, text } = await written('request not answered', { error })
    expect(line.error).toEqual({
      type: 'UpstreamError',
      code: 'UNAVAILABLE',
      detail: 'a.example is away',
      causes: ['the token server is away', 'ETIMEDOUT', 'connect ECONNREFUSED 127.0.0.1:1'],
    })
    expect(text).not.toContain('log.test.ts')
    expect(text.length).toBeLessThan(400)
  })

  test('cleans the causes of such an error, and ends their chain', async () => {
    const circle = new Error('fetch of https://u:hidden@cdn.example/a?sig=hidden failed')
    circle.cause = circle
    const { line, text } = await written('failed', { error: new OciError('UNAVAILABLE', 'away', { cause: circle }) })
    expect(line.error).toMatchObject({
      causes: Array.from({ length: 5 }, () => 'fetch of https://cdn.example/a failed'),
    })
    expect(text).not.toContain('hidden')
  })

  test('shows the stack of a mistake, whatever wraps it', async () => {
    const cause = new TypeError('x is undefined')
    const { line } = await written('failed', { error: new OciError('UNAVAILABLE', 'away', { cause }) })
    expect(line.error).toHaveProperty('causes.0.stack.0', expect.stringContaining('log.test.ts'))
    const internal = await written('failed', { error: new OciError('INTERNAL', 'broken') })
    expect(internal.line.error).toHaveProperty('stack.0', expect.stringContaining('log.test.ts'))
  })

  test('survives what cannot be JSON', async () => {
    const circle: Record<string, unknown> = {
      big: 10n,
      when: new Date(0),
      bytes: Buffer.alloc(9),
      never: new Date(Number.NaN),
    }
    circle.self = circle
    const { line } = await written('odd', { circle })
    expect(line.circle).toMatchObject({ big: '10', when: '1970-01-01T00:00:00.000Z', bytes: '[9 bytes]', never: null })
  })
})

describe('the sink', () => {
  test('drops and counts lines while nobody reads the pipe, and the process goes on', async () => {
    const script = `
      const { createLog } = await import(${source})
      const log = createLog('info', { maxWaiting: 100_000 })
      for (let line = 0; line < 5000; line += 1) log.info('x'.repeat(400))
      process.stderr.write(String(log.dropped()))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [dropped] = await once(child.stderr, 'data')
    child.kill('SIGKILL')
    expect(Number(String(dropped))).toBeGreaterThan(4000)
  })

  test('counts lines that the disk behind it does not take', () => {
    const script = `
      const { createLog } = await import(${source})
      const log = createLog('info', { fd: (await import('node:fs')).openSync('/dev/full', 'w') })
      log.info('lost')
      log.info('lost')
      await log.flush()
      console.log(log.dropped(), 'lost, going on')`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(output).toBe('2 lost, going on\n')
  })

  test('writes what waits when the process ends', () => {
    const script = `
      const { createLog } = await import(${source})
      createLog('info').info('last words')`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(output).toContain('last words')
  })
})
