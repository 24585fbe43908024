/** Upload sessions: how far they are, whose they are, where they are. */
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import type { Gate } from '../../src/registry/access/gate.ts'
import { codeOf, openPushing, session, shape, started, uploads } from './pushing.ts'

const blob = Buffer.from('a blob of thirty bytes, or so..')
const digest = digestOf(blob)

describe('a session', () => {
  test('says how far it is', async () => {
    const { send } = await started()
    await send('PATCH', session, { body: blob.subarray(0, 10) })
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(method, session, { headers: { 'Content-Length': '0' } })
      expect(shape(answer)).toEqual({ status: 204, location: session, range: '0-9' })
      expect(answer.headers['docker-upload-uuid']).toBe('session-1')
    }
  })

  test('is gone after DELETE', async () => {
    const { send, hosted } = await started()
    expect((await send('DELETE', session)).status).toBe(204)
    expect(hosted.open()).toEqual([])
    expect((await send('DELETE', session)).status).toBe(404)
  })

  test.each([
    ['GET', `${uploads}session-2`],
    ['PATCH', `${uploads}session-2`],
    ['PUT', `${uploads}session-2?digest=${digest}`],
    ['DELETE', `${uploads}session-2`],
    ['GET', `${uploads}session%201`],
    ['GET', `${uploads}__proto__`],
    ['GET', '/v2/team/other/blobs/uploads/session-1'],
    ['PUT', `/v2/team/other/blobs/uploads/session-1?digest=${digest}`],
  ])('that is none of this repository is 404: %s %s', async (method, target) => {
    const { send } = await started()
    const answer = await send(method, target)
    expect([answer.status, codeOf(answer)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })
})

test('of another user is 404 to everybody else, as if there were none', async () => {
  const gate: Gate = {
    async visitor(head) {
      const name = head.header('x-user').join()
      return { name, isStranger: false, mayEnter: true, may: () => true, mayPull: () => true, hasRules: false }
    },
  }
  const { send, hosted } = await openPushing({ gate })
  const [alice, bob] = [{ headers: { 'X-User': 'alice' } }, { headers: { 'X-User': 'bob' } }]
  await send('POST', uploads, alice)
  const requests = [
    ['GET', session],
    ['PATCH', session],
    ['PUT', `${session}?digest=${digest}`],
    ['DELETE', session],
  ] as const
  for (const [method, target] of requests) {
    const theirs = await send(method, target, { ...bob, body: method === 'PATCH' ? blob : undefined })
    const nobodys = await send(method, target.replace('session-1', 'session-2'), bob)
    expect([theirs.status, theirs.body.toString()]).toEqual([404, nobodys.body.toString()])
  }
  expect([hosted.open(), hosted.arrived('session-1')]).toEqual([['session-1'], 0])
  expect((await send('PUT', `${session}?digest=${digest}`, { ...alice, body: blob })).status).toBe(201)
})

describe('Location', () => {
  const agents: [agent: string, absolute: boolean][] = [
    ['Helm/3.22.0', true],
    ['Helm/3.8.0', true],
    ['Helm/4.3.1', false],
    ['containerd/2.4.2', false],
    ['curl Helm/3.22.0', false],
  ]
  test.each(agents)('of %s is absolute: %s', async (agent, absolute) => {
    const { send } = await openPushing({ names: ['registry.internal'] })
    const headers = { 'User-Agent': agent, Host: 'registry.internal:5000' }
    const prefix = absolute ? 'https://registry.internal:5000' : ''
    expect((await send('POST', uploads, { headers })).headers.location).toBe(prefix + session)
  })
})
