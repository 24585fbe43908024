import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { held, openHouse } from './import-charts-house.ts'

const broken = (part: string) => expect.stringContaining(part)

/** As gpg signs one; the signature itself is nobody's. */
function provenance(archive: Buffer, name = 'app-1.0.0.tgz'): Buffer {
  const hex = digestOf(archive).slice('sha256:'.length)
  const message = `apiVersion: v2\nname: app\n\n...\nfiles:\n  ${name}: sha256:${hex}\n`
  return Buffer.from(
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${message}-----BEGIN PGP SIGNATURE-----\n\nwsB\n-----END PGP SIGNATURE-----\n`,
  )
}

describe('the provenance of a chart', () => {
  it('comes along, also later than its chart, and is then not asked for again', async () => {
    const house = await openHouse(['app-1.0.0'])
    await house.run()
    const archive = house.server.files.get('/app-1.0.0.tgz') ?? Buffer.of()
    house.server.files.set('/app-1.0.0.tgz.prov', provenance(archive))
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1, there: 0 })
    const asked = house.server.calls.length
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 0, there: 1 })
    expect(house.server.calls.length).toBe(asked + 1)
    const kept = await held(await house.serve(), 'charts/app', '1.0.0')
    expect(kept?.provenance).toEqual(provenance(archive))
    expect(kept?.archive).toEqual(archive)
  })

  it('of another archive stays out, and that counts', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.files.set('/app-1.0.0.tgz.prov', provenance(Buffer.from('another')))
    const outcome = await house.outcome()
    expect(outcome).toMatchObject({ code: 5, imported: 1, leftOut: [{ reason: broken('of another archive') }] })
    expect((await held(await house.serve(), 'charts/app', '1.0.0'))?.provenance).toBeUndefined()
  })

  it('is none where a page is sent for it', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.misbehave(/prov/, (_request, response) => void response.end('<html>Welcome</html>'))
    expect(await house.outcome()).toMatchObject({
      code: 0,
      imported: 1,
      notes: [{ reason: broken('no signed message') }],
    })
  })

  it('that is denied may not be there at all: its chart comes in without it, and that is said', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.misbehave(/prov/, (_request, response) => void response.writeHead(403).end())
    expect(await house.outcome()).toMatchObject({
      code: 0,
      imported: 1,
      notes: [{ reason: broken('.prov answers 403') }],
    })
  })

  it('that cannot be had keeps its chart out, since it may have one', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.misbehave(/prov/, (_request, response) => void response.writeHead(401).end())
    expect(await house.outcome()).toMatchObject({
      code: 5,
      imported: 0,
      leftOut: [{ reason: broken('.prov answers 401') }],
    })
  })
})

describe('an import that is interrupted', () => {
  it('ends after what runs, and the next one goes on', async () => {
    const house = await openHouse(Array.from({ length: 20 }, (_, minor) => `app-1.${minor}.0`))
    const { files, misbehave, count } = house.server
    let release = () => {}
    const answered = new Promise<void>((resolve) => (release = resolve))
    misbehave(
      /app-1\.1\.0\.tgz$/,
      (_request, response) => {
        void answered.then(() => response.end(files.get('/app-1.1.0.tgz')))
      },
      1,
    )
    const running = await house.begin()
    await expect.poll(() => count(/app-1\.1\.0\.tgz$/), { timeout: 20_000 }).toBe(1)
    process.kill(running.pid, 'SIGINT')
    await running.printed(/once more ends it at once/)
    release()
    await running.printed(/It was interrupted\. Run this again/)
    await expect.poll(running.running).toBe(false)
    const first = Number(/(\d+) imported/.exec(running.output())?.[1])
    expect(first).toBeGreaterThan(0)
    const { imported, there, code } = await house.outcome()
    expect({ code, there, sum: imported + there }).toEqual({ code: 0, there: first, sum: 20 })
  })

  it('ends at once by a second signal, and what had begun is begun again', async () => {
    const house = await openHouse(['app-1.0.0'])
    house.server.misbehave(/tgz$/, () => {}, 1)
    const running = await house.begin()
    await expect.poll(() => house.server.count(/tgz$/), { timeout: 20_000 }).toBe(1)
    process.kill(running.pid, 'SIGINT')
    await running.printed(/once more ends it at once/)
    process.kill(running.pid, 'SIGINT')
    await expect.poll(running.running).toBe(false)
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1 })
  })

  it('by the end of the daemon says so, and goes on with the next one', async () => {
    const house = await openHouse(['app-1.0.0'])
    const { files, misbehave } = house.server
    let release = () => {}
    const stopped = new Promise<void>((resolve) => (release = resolve))
    misbehave(/tgz$/, (_request, response) => void stopped.then(() => response.end(files.get('/app-1.0.0.tgz'))), 1)
    const daemon = await house.serve()
    const running = await house.begin()
    await expect.poll(() => house.server.count(/tgz$/), { timeout: 20_000 }).toBe(1)
    await daemon.stop()
    release()
    await running.printed(/The daemon has gone/)
    expect(await house.outcome()).toMatchObject({ code: 0, imported: 1 })
  })
})
