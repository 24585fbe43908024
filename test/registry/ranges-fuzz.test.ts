/** Hostile references and queries: never a 5xx, and what cannot be read never reaches the upstream. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Doors, openDoors } from './doors.ts'

const runs = { numRuns: 600, seed: 20_261_124 }

const routes = ['/v2/app/manifests/', '/v2/app/tags/list?range=', '/v2/app/_entrepot/versions/resolve?range=']

const percent = (bytes: Iterable<number>) =>
  [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('')

/** Never part of a range, whatever its profile. */
const foreign = fc.constantFrom('"', '\\', ';', '$', '{', '\u00a0', '\ufeff', 'é', '\u2028', '#', '?', '@', '\u{1f4a5}')
const operators = fc.constantFrom(
  '^',
  '~',
  '>',
  '<',
  '=',
  '!',
  '*',
  '|',
  ',',
  ' ',
  '-',
  '.',
  'x',
  'v',
  '1',
  '0',
  '22',
  '+',
  '_',
)
const text = (piece: fc.Arbitrary<string>, maxLength: number) =>
  fc.array(piece, { maxLength }).map((parts) => parts.join(''))

async function ask(doors: Doors, target: string, method: 'get' | 'head') {
  doors.forget()
  const { status } = await doors[method](target)
  return { status, calls: doors.calls() }
}

async function openStocked() {
  const doors = await openDoors()
  doors.push('1.2.0', '1.9.0', '2.0.0-rc.1', '22-alpine')
  return doors
}

test('percent escapes that are none, or of bytes that are no text, are refused and ask nobody', async () => {
  const doors = await openStocked()
  const escape = fc.oneof(
    fc.constantFrom('%', '%z', '%zz', '%5', '%C0%AF', '%ED%A0%80', '%FF', '%00', '%0A', '%7F', '%2F..%2F', '%25%zz'),
    fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => `%FF${percent(bytes)}`),
  )
  const around = text(operators, 6).map((plain) => encodeURIComponent(plain))
  await fc.assert(
    fc.asyncProperty(around, escape, around, fc.constantFrom('get', 'head'), async (before, bad, after, method) => {
      const answer = await ask(doors, `/v2/app/manifests/%5E${before}${bad}${after}`, method)
      expect(answer).toEqual({ status: 400, calls: [] })
    }),
    runs,
  )
})

test('a text that is no range is 400 by every door and asks nobody', async () => {
  const doors = await openStocked()
  const ranges = fc.tuple(text(operators, 20), foreign, text(operators, 20)).map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(ranges, fc.constantFrom(...routes), async (range, route) => {
      const answer = await ask(doors, `${route}${encodeURIComponent(`^${range}`)}`, 'get')
      expect(answer).toEqual({ status: 400, calls: [] })
    }),
    runs,
  )
})

test('a text of the characters of ranges is answered, or is 400 and asks nobody', async () => {
  const doors = await openStocked()
  const statuses = new Set<number>()
  const profiles = fc.constantFrom('helm', 'helm-legacy', 'flux', 'argo', 'image')
  await fc.assert(
    fc.asyncProperty(text(operators, 24), fc.constantFrom(...routes), profiles, async (range, route, profile) => {
      const target = `${route}${encodeURIComponent(range)}${route.includes('?') ? '&' : '?'}profile=${profile}`
      const { status, calls } = await ask(doors, target, 'get')
      statuses.add(status)
      expect([200, 400, 404]).toContain(status)
      // Argo CD takes a tag that exists before it looks whether it is a range: only the list tells.
      if (status === 400 && profile !== 'argo') expect(calls).toEqual([])
    }),
    runs,
  )
  expect([...statuses].toSorted((one, other) => one - other)).toEqual([200, 400, 404])
})

test('the longest ranges are answered, or refused', async () => {
  const doors = await openStocked()
  for (const range of ['^'.repeat(512), '||'.repeat(256), `^1${'0'.repeat(510)}`, '*'.repeat(513)]) {
    for (const route of routes)
      expect((await ask(doors, `${route}${encodeURIComponent(range)}`, 'get')).status).toBe(400)
  }
  const longest = encodeURIComponent(`${'^1 '.repeat(170)}^1`)
  for (const route of routes) expect((await ask(doors, `${route}${longest}`, 'get')).status).toBe(200)
})
