/** Uploads of blobs: every way that the distribution spec has, and every way to get it wrong. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { codeOf, openPushing, session, shape, started, uploads } from './pushing.ts'
import { exchange, requestText } from './serve.ts'

const blob = Buffer.from('a blob of thirty bytes, or so..')
const digest = digestOf(blob)
describe('POST', () => {
  test('opens a session and says where it is', async () => {
    const { send, hosted } = await openPushing()
    const answer = await send('POST', uploads)
    expect(shape(answer)).toEqual({ status: 202, location: session, range: '0-0' })
    expect(answer.headers).toMatchObject({ 'docker-upload-uuid': 'session-1', 'content-length': '0' })
    expect(hosted.started).toEqual([{ by: 'anonymous', share: 'at 127.0.0.1', algorithm: undefined }])
  })

  test.each([
    ['/v2/team/app/blobs/uploads', session],
    ['/v2/team%2Fapp/blobs/uploads/', session],
    ['/mirror/v2/team/app/blobs/uploads/', '/mirror/v2/team/app/blobs/uploads/session-1'],
    [`${uploads}?ns=localhost`, session],
  ])('%s gets a Location in the spelling of its path', async (target, location) => {
    const { send } = await openPushing()
    expect((await send('POST', target)).headers.location).toBe(location)
  })

  test('with a digest and the bytes is the whole upload', async () => {
    const { send, hosted } = await openPushing()
    const answer = await send('POST', `${uploads}?digest=${digest}`, { body: blob })
    expect(shape(answer)).toEqual({ status: 201, location: `/v2/team/app/blobs/${digest}`, range: undefined })
    expect(answer.headers['docker-content-digest']).toBe(digest)
    expect(hosted.blobs.get(digest)).toEqual(blob)
    expect(hosted.started[0]).toEqual({
      by: 'anonymous',
      share: 'at 127.0.0.1',
      size: blob.length,
      algorithm: 'sha256',
    })
  })

  test('with a digest of other bytes is 400, and no session stays', async () => {
    const { send, hosted } = await openPushing()
    const answer = await send('POST', `${uploads}?digest=${digest}`, { body: Buffer.from('other') })
    expect([answer.status, codeOf(answer)]).toEqual([400, 'DIGEST_INVALID'])
    expect([hosted.open(), hosted.blobs.size]).toEqual([[], 0])
  })

  test.each(['sha256', 'sha512'] as const)('says to hash with %s', async (algorithm) => {
    const { send, hosted } = await openPushing()
    expect((await send('POST', `${uploads}?digest-algorithm=${algorithm}`)).status).toBe(202)
    expect(hosted.started[0]?.algorithm).toBe(algorithm)
  })

  test.each([
    ['?digest-algorithm=md5', 'DIGEST_INVALID'],
    ['?digest=sha256:bad', 'DIGEST_INVALID'],
    ['?digest=', 'DIGEST_INVALID'],
    ['?mount=bad', 'DIGEST_INVALID'],
    [`?digest=${digest}&digest=${digestOf(Buffer.alloc(0))}`, 'DIGEST_INVALID'],
  ])('%s is 400', async (query, code) => {
    const { send, hosted } = await openPushing()
    const answer = await send('POST', uploads + query)
    expect([answer.status, codeOf(answer), hosted.started]).toEqual([400, code, []])
  })

  test('to a session is 405 with the methods that it has', async () => {
    const { send } = await started()
    const answer = await send('POST', session)
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, PATCH, PUT, DELETE'])
  })
})

describe('mount', () => {
  const mountable = [`hosted/team/other ${digest}`]

  test('from a repository that has the blob needs no upload', async () => {
    const { send, hosted } = await openPushing({ mountable })
    const answer = await send('POST', `${uploads}?mount=${digest}&from=team/other`)
    expect(shape(answer)).toEqual({ status: 201, location: `/v2/team/app/blobs/${digest}`, range: undefined })
    expect(hosted.started).toEqual([])
  })

  test('without from takes whichever repository has it', async () => {
    const { send } = await openPushing({ mountable })
    expect((await send('POST', `${uploads}?mount=${digest}`)).status).toBe(201)
  })

  test.each([
    ['from a repository that has it not', `?mount=${digestOf(Buffer.from('x'))}&from=team/other`],
    ['from a name that nobody knows', `?mount=${digest}&from=evil.example/x`],
    ['from what is no name', `?mount=${digest}&from=..%2F`],
    ['without from, and nobody has it', `?mount=${digestOf(Buffer.from('x'))}`],
  ])('%s opens a session', async (_how, query) => {
    const { send } = await openPushing({ mountable })
    const answer = await send('POST', uploads + query)
    expect(shape(answer)).toEqual({ status: 202, location: session, range: '0-0' })
  })
})

describe('PATCH', () => {
  test('goes on where the last chunk ended', async () => {
    const { send } = await started()
    const first = await send('PATCH', session, { body: blob.subarray(0, 10) })
    expect(shape(first)).toEqual({ status: 202, location: session, range: '0-9' })
    const second = await send('PATCH', session, { body: blob.subarray(10), headers: { 'Content-Range': '10-30' } })
    expect(shape(second)).toEqual({ status: 202, location: session, range: '0-30' })
    expect((await send('PUT', `${session}?digest=${digest}`)).status).toBe(201)
  })

  test('streams a body without a length', async () => {
    const { port, hosted } = await started()
    const chunked = `5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`
    const answer = await exchange(port, requestText('PATCH', session, { 'Transfer-Encoding': 'chunked' }) + chunked)
    expect([answer.status, answer.headers.range]).toEqual([202, '0-10'])
    expect(hosted.arrived('session-1')).toBe(11)
  })

  test.each(['bytes 0-30', 'bytes=0-30', 'bytes 0-30/31', 'bytes 0-30/*', ' 0-30 '])(
    'takes the Content-Range "%s" too',
    async (range) => {
      const { send } = await started()
      expect((await send('PATCH', session, { body: blob, headers: { 'Content-Range': range } })).status).toBe(202)
    },
  )

  test.each(['5-9', '1-5', '9007199254740980-9007199254740984'])(
    'out of order (%s) is 416 and says where to go on',
    async (range) => {
      const { send } = await started()
      const answer = await send('PATCH', session, { body: blob.subarray(0, 5), headers: { 'Content-Range': range } })
      expect([shape(answer), codeOf(answer)]).toEqual([
        { status: 416, location: session, range: '0-0' },
        'RANGE_INVALID',
      ])
    },
  )

  test.each([
    ['0-', 'BLOB_UPLOAD_INVALID'],
    ['5-1', 'BLOB_UPLOAD_INVALID'],
    ['x', 'BLOB_UPLOAD_INVALID'],
    ['0-4, 5-9', 'BLOB_UPLOAD_INVALID'],
    ['0-99999999999999999999', 'BLOB_UPLOAD_INVALID'],
    ['0-3', 'SIZE_INVALID'],
    ['0-5', 'SIZE_INVALID'],
  ])('with the Content-Range "%s" for five bytes is 400 %s', async (range, code) => {
    const { send, hosted } = await started()
    const answer = await send('PATCH', session, { body: blob.subarray(0, 5), headers: { 'Content-Range': range } })
    expect([answer.status, codeOf(answer), hosted.arrived('session-1')]).toEqual([400, code, 0])
  })

  test('with an encoded body is 415', async () => {
    const { send } = await started()
    const answer = await send('PATCH', session, { body: blob, headers: { 'Content-Encoding': 'gzip' } })
    expect([answer.status, codeOf(answer)]).toEqual([415, 'UNSUPPORTED'])
  })
})

describe('PUT', () => {
  test('with the whole body ends the session', async () => {
    const { send, hosted } = await started()
    const answer = await send('PUT', `${session}?digest=${digest}`, { body: blob })
    expect(shape(answer)).toEqual({ status: 201, location: `/v2/team/app/blobs/${digest}`, range: undefined })
    expect([hosted.blobs.get(digest), hosted.open()]).toEqual([blob, []])
  })

  test('without a body keeps a blob of zero bytes', async () => {
    const { send, hosted } = await started()
    const empty = digestOf(Buffer.alloc(0))
    expect((await send('PUT', `${session}?digest=${empty}`)).status).toBe(201)
    expect(hosted.blobs.get(empty)?.length).toBe(0)
  })

  test('with the last chunk out of order is 416, and the session goes on', async () => {
    const { send } = await started()
    await send('PATCH', session, { body: blob.subarray(0, 10) })
    const late = { body: blob.subarray(20), headers: { 'Content-Range': '20-30' } }
    expect(shape(await send('PUT', `${session}?digest=${digest}`, late))).toEqual({
      status: 416,
      location: session,
      range: '0-9',
    })
    const right = { body: blob.subarray(10), headers: { 'Content-Range': '10-30' } }
    expect((await send('PUT', `${session}?digest=${digest}`, right)).status).toBe(201)
  })

  test.each(['', '?digest=', '?digest=md5:x', `?digest=${digest}0`])(
    'with "%s" is 400, before a byte is read',
    async (query) => {
      const { send, hosted } = await started()
      const answer = await send('PUT', session + query, { body: blob })
      expect([answer.status, codeOf(answer), hosted.arrived('session-1')]).toEqual([400, 'DIGEST_INVALID', 0])
    },
  )

  test('with the digest of other bytes is 400', async () => {
    const { send, hosted } = await started()
    const answer = await send('PUT', `${session}?digest=${digest}`, { body: Buffer.from('other') })
    expect([answer.status, codeOf(answer), hosted.blobs.size]).toEqual([400, 'DIGEST_INVALID', 0])
  })
})
