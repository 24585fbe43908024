import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Source } from '../../src/catalog/records.ts'
import { createSourcesFile } from '../../src/catalog/sources.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const one = digestOf(Buffer.from('one'))
const two = digestOf(Buffer.from('two'))
const hub: Source = { upstream: 'docker.io', credential: 'anonymous' }
const mine: Source = { upstream: 'docker.io', credential: 'config:me' }

async function open() {
  const path = join(await temporaryDirectory(), 'sources')
  return { path, file: createSourcesFile(path) }
}

async function* entries(...all: [Digest, Source[]][]): AsyncGenerator<[Digest, Source[]]> {
  yield* all
}

describe('the file of sources', () => {
  it('says what was appended, each once; there is none at first', async () => {
    const { file } = await open()
    expect(await file.read()).toEqual(new Map())
    await Promise.all([file.append(one, hub), file.append(one, mine), file.append(one, hub), file.append(two, hub)])
    expect(await file.read()).toEqual(
      new Map([
        [one, [hub, mine]],
        [two, [hub]],
      ]),
    )
  })

  it('does not believe a line that is torn, changed, or no line at all', async () => {
    const { path, file } = await open()
    await file.append(one, hub)
    const line = await readFile(path, 'utf8')
    await writeFile(path, [line.replace('anonymous', 'config:me'), 'nonsense\n', line.slice(0, -20)].join(''))
    expect(await file.read()).toEqual(new Map())
    await appendFile(path, `\n${line}`)
    expect(await file.read()).toEqual(new Map([[one, [hub]]]))
  })

  it('that is rewritten says only that, and loses nothing that is appended meanwhile', async () => {
    const { file } = await open()
    await file.append(one, hub)
    const going = Promise.withResolvers<void>()
    const rewritten = file.rewrite(async function* () {
      await going.promise
      yield* entries([one, [mine]])
    })
    const appended = file.append(two, hub)
    going.resolve()
    await Promise.all([rewritten, appended])
    expect(await file.read()).toEqual(
      new Map([
        [one, [mine]],
        [two, [hub]],
      ]),
    )
  })

  it('stays as it was where a rewrite fails', async () => {
    const { file } = await open()
    await file.append(one, hub)
    const failing = file.rewrite(async function* () {
      yield* entries([two, [hub]])
      throw new Error('no records')
    })
    await expect(failing).rejects.toThrow('no records')
    await file.append(one, mine)
    expect(await file.read()).toEqual(new Map([[one, [hub, mine]]]))
  })
})
