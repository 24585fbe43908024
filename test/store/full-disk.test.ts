import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from './temporary.ts'

/** Runs the child on a tmpfs of its own, which nobody else sees and which goes with the process. */
async function onSmallDisk(child: URL, mode = ''): Promise<unknown> {
  const directory = await temporaryDirectory()
  const namespace = process.geteuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const script = 'mount -t tmpfs -o size=128m,mode=0700 tmpfs "$1" && exec "$2" "$3" "$1" "$4"'
  const { stdout } = await promisify(execFile)(
    'unshare',
    [...namespace, 'sh', '-c', script, 'sh', directory, process.execPath, child.pathname, mode],
    { timeout: 60_000 },
  )
  return JSON.parse(stdout)
}

describe('a disk that is full', () => {
  test('loses no record that was acknowledged and brings back none that was refused, with the reserve going on at once', async () => {
    expect(await onSmallDisk(new URL('full-disk-child.ts', import.meta.url), 'reserve')).toEqual({
      error: expect.stringContaining('No space left on device'),
      readableWhileFull: true,
      rejectedVisible: 0,
      whileFull: '',
      opening: expect.stringContaining('There is no space left on the disk of'),
      state: 'opened',
      lost: 0,
      raised: 0,
      rejected: 1,
      enough: true,
    })
  })

  test('without a reserve is read from while it is full, and written to when it has room again', async () => {
    expect(await onSmallDisk(new URL('full-disk-child.ts', import.meta.url), 'no-reserve')).toEqual({
      error: expect.stringContaining('No space left on device'),
      readableWhileFull: true,
      rejectedVisible: 0,
      whileFull: expect.stringContaining('take no writes at the moment: ENOSPC'),
      opening: expect.stringContaining('There is no space left on the disk of'),
      state: 'opened',
      lost: 0,
      raised: 0,
      rejected: 2,
      enough: true,
    })
  })

  test('fails a spool with ENOSPC, and what is needed to go on elsewhere is exact', async () => {
    expect(await onSmallDisk(new URL('full-spool-child.ts', import.meta.url))).toEqual({
      code: 'ENOSPC',
      most: true,
      readable: true,
      whole: true,
      left: [],
    })
  })
})
