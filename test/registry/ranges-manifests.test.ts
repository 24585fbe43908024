/** Ranges in the place of a tag: spelled in words, percent-encoded, in three settings; and what is told of those that fail. */
import { describe, expect, test } from 'vitest'
import { errorOf, openDoors, resolvedTo } from './doors.ts'

const tags = ['1.2.0', '1.9.0', '1.9.0-alpine', '1.10.0', '2.0.0', '2.1.0-rc.1', 'latest']

describe('a range that is a legal tag', () => {
  test.each([
    ['1.x', '1.10.0'],
    ['1.9.x', '1.9.0'],
    ['1.x-alpine', '1.9.0-alpine'],
    ['caret-1.2', '1.10.0'],
    ['tilde-1.9', '1.9.0'],
    ['ge-1.2_lt-1.10', '1.9.0'],
    ['1.2.x__caret-2', '2.0.0'],
  ])('%s is %s', async (reference, tag) => {
    const doors = await openDoors()
    doors.push(...tags)
    expect(resolvedTo(await doors.manifest(reference))).toMatchObject({ status: 200, tag })
  })

  test.each(['edge', 'x', '1-alpine', '3', '1.3', 'v1'])('%s is none: the tag is just absent', async (reference) => {
    const doors = await openDoors()
    doors.push(...tags)
    const error = errorOf(await doors.manifest(reference))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail: undefined })
    expect(doors.calls()).toEqual([`GET manifests/${reference}`])
  })

  test('that nothing matches is 404 with the nearest tags', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    const error = errorOf(await doors.manifest('caret-3'))
    const detail = { code: 'RANGE_UNSATISFIED', range: '^3', profile: 'image' }
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail })
    expect(error.detail.nearest.length).toBeGreaterThan(0)
    expect(error.detail.nearest.length).toBeLessThanOrEqual(5)
    expect(error.message).toContain(error.detail.nearest.join(', '))
  })

  test('that its profile cannot read is an absent tag, with the reason', async () => {
    const doors = await openDoors({ rules: { profile: 'helm' } })
    doors.push('1.2.0')
    const error = errorOf(await doors.manifest('caret-1.2.3.4'))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail: { code: 'RANGE_INVALID' } })
    expect(doors.calls()).toEqual(['GET manifests/caret-1.2.3.4'])
  })

  test('of a repository that does not exist is 404', async () => {
    const doors = await openDoors()
    const error = errorOf(await doors.manifest('1.x'))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail: undefined })
  })
})

describe('a percent-encoded range', () => {
  test.each([
    ['%5E1.2', '1.10.0'],
    ['~1.9', '1.9.0'],
    ['%7E1.9', '1.9.0'],
    ['%3E%3D1.2%20%3C1.10', '1.9.0'],
    ['>=1.2%20<1.10', '1.9.0'],
    ['1.2%20-%201.9', '1.9.0'],
    ['%5E1%20%7C%7C%20%5E2', '2.0.0'],
    ['*', '2.0.0'],
  ])('%s is %s, and no tag of that name is asked for', async (reference, tag) => {
    const doors = await openDoors()
    doors.push(...tags)
    expect(resolvedTo(await doors.manifest(reference))).toMatchObject({ status: 200, tag })
    expect(doors.calls()).toEqual(['GET tags/list', `GET manifests/${tag}`])
  })

  test('with a build is the exact version, by the rules of helm', async () => {
    const doors = await openDoors()
    const [build] = doors.push('1.2.3_build.5', '1.2.4')
    const answer = await doors.manifest('1.2.3%2Bbuild.5?profile=helm')
    expect(resolvedTo(answer)).toEqual({ status: 200, tag: '1.2.3_build.5', digest: build })
  })

  test('that cannot be read is 400 at its position, and nobody is asked', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    const error = errorOf(await doors.manifest('%3E%3E1.2'))
    const detail = { code: 'RANGE_INVALID', range: '>>1.2', position: expect.any(Number) }
    expect(error).toMatchObject({ status: 400, code: 'MANIFEST_INVALID', detail })
    expect(doors.calls()).toEqual([])
  })

  test('that nothing matches is 404 with the nearest tags', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    const error = errorOf(await doors.manifest('%5E3'))
    expect(error).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN', detail: { code: 'RANGE_UNSATISFIED' } })
  })

  test('is decoded once', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    expect((await doors.manifest('%255E1.2')).status).toBe(404)
    expect(doors.calls()).toEqual([])
  })

  test('of a repository that does not exist is 404', async () => {
    const doors = await openDoors()
    expect(errorOf(await doors.manifest('%5E1'))).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
  })
})

describe('?profile=', () => {
  test('says whose rules count', async () => {
    const doors = await openDoors()
    doors.push('1.2.0', '1.3.0-rc.1')
    expect(resolvedTo(await doors.manifest('%3E%3D1.2.0-0?profile=helm'))).toMatchObject({ tag: '1.3.0-rc.1' })
  })

  test('that there is not is 400 and names those that there are', async () => {
    const doors = await openDoors()
    doors.push(...tags)
    const error = errorOf(await doors.manifest('%5E1?profile=npm'))
    expect(error).toMatchObject({ status: 400, code: 'MANIFEST_INVALID', detail: { code: 'RANGE_INVALID' } })
    expect(error.message).toContain('helm, helm-legacy, flux, argo, image')
    expect(doors.calls()).toEqual([])
  })
})

describe('versionRanges', () => {
  test('partials: bare partials are ranges too, where there is no such tag', async () => {
    const doors = await openDoors({ rules: { mode: 'partials' } })
    const [, , literal] = doors.push('1.2.0', '1.9.0', '2')
    expect(resolvedTo(await doors.manifest('1'))).toMatchObject({ status: 200, tag: '1.9.0' })
    expect(resolvedTo(await doors.manifest('1.2'))).toMatchObject({ status: 200, tag: '1.2.0' })
    expect(resolvedTo(await doors.manifest('2'))).toEqual({ status: 200, tag: undefined, digest: literal })
  })

  test('off: a reference is a tag or nothing', async () => {
    const doors = await openDoors({ rules: { mode: 'off' } })
    doors.push(...tags)
    for (const reference of ['1.x', 'caret-1.2', '1.3'])
      expect(errorOf(await doors.manifest(reference))).toMatchObject({ status: 404, detail: undefined })
    expect(doors.calls()).toEqual(['GET manifests/1.x', 'GET manifests/caret-1.2', 'GET manifests/1.3'])
    doors.forget()
    for (const reference of ['%5E1.2', '%3E%3E1'])
      expect(errorOf(await doors.manifest(reference))).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
    expect(doors.calls()).toEqual([])
  })

  test('off: who asks for a range in so many words gets an answer', async () => {
    const doors = await openDoors({ rules: { mode: 'off' } })
    doors.push(...tags)
    expect((await doors.get('/v2/app/tags/list?range=%5E2')).body.toString()).toContain('["2.0.0"]')
    expect((await doors.get('/v2/app/_entrepot/versions/resolve?range=%5E2')).status).toBe(200)
  })
})
