import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { parseTag, type Tag } from '../../src/oci/name.ts'
import { openShelf, repository } from './shelf.ts'

const app = repository('app')
const digest = digestOf(Buffer.from('{}'))
const tag = (text: string): Tag => {
  const parsed = parseTag(text)
  if (!parsed) throw new Error(`${text} is no tag`)
  return parsed
}
const record = (checkedAt: number) => ({ digest, checkedAt, changedAt: checkedAt })

describe('answers', () => {
  it('about tags are of one repository of one origin, whatever its name begins with', async () => {
    const { catalog } = await openShelf()
    await catalog.setTag(app, tag('1.0'), record(1))
    await catalog.setTag(app, tag('1.0-rc'), record(2))
    await catalog.setTag(repository('app2'), tag('1.0'), record(3))
    await catalog.setTag(repository('app/x'), tag('1.0'), record(4))
    await catalog.setTag(repository('app', 'other.test'), tag('1.0'), record(5))
    await catalog.setTags(app, { tags: [tag('listed')], credential: 'anonymous', checkedAt: 6 })
    expect(await catalog.tagRecords(app)).toEqual(
      new Map([
        [tag('1.0'), record(1)],
        [tag('1.0-rc'), record(2)],
      ]),
    )
    expect(await catalog.tag(repository('app', 'other.test'), tag('1.0'))).toEqual(record(5))
    expect(await catalog.tag(app, tag('listed'))).toBeUndefined()
  })

  it('about lists and referrers are what was last said', async () => {
    const { catalog } = await openShelf()
    expect(await catalog.tags(app)).toBeUndefined()
    const said = { tags: [tag('a')], credential: 'anonymous', checkedAt: 1 }
    await catalog.setTags(app, said)
    expect(await catalog.tags(app)).toEqual(said)
    const referrers = { descriptors: [{ mediaType: 'application/x', digest, size: 2 }], credential: 'a', checkedAt: 1 }
    await catalog.setReferrers(app, digest, referrers)
    expect(await catalog.referrers(app, digest)).toEqual(referrers)
    expect(await catalog.referrers(repository('app2'), digest)).toBeUndefined()
  })

  it('survive a restart', async () => {
    const first = await openShelf()
    await first.catalog.setTag(app, tag('1.0'), record(1))
    await first.catalog.pin(app, digest)
    await first.catalog.close()
    const { catalog } = await openShelf({ directory: first.directory })
    expect(await catalog.tag(app, tag('1.0'))).toEqual(record(1))
    expect(await catalog.pins()).toEqual(new Set([digest]))
    await catalog.unpin(app, digest)
    expect(await catalog.pins()).toEqual(new Set())
  })
})
