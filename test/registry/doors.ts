/** All doors of version ranges: the registry behind a real server, over a proxied repository, over a scripted upstream. */
import { expect, onTestFinished } from 'vitest'
import { createRanges, type RangesOptions } from '../../src/repository/ranges.ts'
import type { RangeRules } from '../../src/repository/range-rules.ts'
import type { Repository } from '../../src/repository/repository.ts'
import {
  digest as digestOfText,
  drainBlob,
  type House,
  type HouseOptions,
  openHouse,
  pushImage,
  tag,
} from '../proxied/house.ts'
import { ask, type RawAnswer, serve } from './serve.ts'

export interface Doors {
  house: House
  get(target: string, headers?: Record<string, string>): Promise<RawAnswer>
  head(target: string): Promise<RawAnswer>
  /** `GET /v2/app/manifests/<reference>` */
  manifest(reference: string): Promise<RawAnswer>
  /** Pushes images to the upstream, one a tag; their digests. */
  push(...tags: string[]): string[]
  /** Pulls a tag with all of its blobs. */
  pullWhole(tagName: string): Promise<void>
  /** Upstream requests from now on, as `METHOD path`; the path below `/v2/app/`. */
  calls(): string[]
  forget(): void
  /** Time goes on for everything. */
  pass(ms: number): void
  /** From here on another repository answers: another mode, or offline. */
  answerBy(repository: Repository): void
}

export interface DoorsOptions extends HouseOptions, Omit<RangesOptions, 'now' | 'callTime' | 'deadline'> {
  rules?: Partial<RangeRules>
  /** ms for all that one answer takes. */
  rangeTime?: number
  /** ms that a range waits for what is kept whole. */
  rangeDeadline?: number
}

export async function openDoors(options: DoorsOptions = {}): Promise<Doors> {
  const house = await openHouse(options)
  let ahead = 0
  const now = () => Date.now() + ahead
  const { holdFor, longestHold, rangeTime: callTime, rangeDeadline: deadline } = options
  const ranges = createRanges({ now, holdFor, longestHold, callTime, deadline })
  let other: Repository | undefined
  const rules: RangeRules = { mode: 'on', profile: 'image', ...options.rules }
  const resolve = (path: string) => ({ repository: other ?? house.repository(path), rules })
  const { port } = await serve({}, { resolve, ranges })
  const { registry } = house
  let seen = 0
  onTestFinished(() => registry.close())

  return {
    house,
    get: (target, headers) => ask(port, 'GET', target, headers),
    head: (target) => ask(port, 'HEAD', target),
    manifest: (reference) => ask(port, 'GET', `/v2/app/manifests/${reference}`),
    push: (...tags) => tags.map((name) => pushImage(registry, 'app', name, Buffer.from(`layer of ${name}`)).digest),
    async pullWhole(tagName) {
      const repository = house.repository('app')
      const manifest = await repository.manifest(tag(tagName))
      const facts = JSON.parse(Buffer.from(manifest?.bytes ?? []).toString())
      for (const blob of [facts.config, ...facts.layers]) {
        await drainBlob(await repository.blob(digestOfText(blob.digest)))
      }
      // A blob is kept a moment after its last byte was read.
      await expect.poll(() => repository.firstComplete([tagName])).toBe(tagName)
    },
    calls: () =>
      registry.calls.slice(seen).map(({ method, url }) => `${method} ${url.replace(/^\/v2\/app\/|\?.*$/g, '')}`),
    forget: () => void (seen = registry.calls.length),
    pass(ms) {
      house.pass(ms)
      ahead += ms
    },
    answerBy: (repository) => void (other = repository),
  }
}

/** The first error of an answer. */
export function errorOf({ status, body }: RawAnswer) {
  const [{ code, message, detail }] = JSON.parse(body.toString()).errors
  return { status, code, message, detail }
}

/** What an answer says a range became. */
export function resolvedTo({ status, headers }: RawAnswer) {
  return { status, tag: headers['entrepot-resolved-tag'], digest: headers['docker-content-digest'] }
}
