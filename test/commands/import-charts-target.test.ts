import { describe, expect, it } from 'vitest'
import type { Answer, Question } from '../../src/charts/registry-target.ts'
import { createImportTarget } from '../../src/commands/import-charts-target.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseName, parseTag } from '../../src/oci/name.ts'

const repository = parseName('charts/app')
const tag = parseTag('1.0.0')
if (!repository || !tag) throw new TypeError('a name or a tag is none')
const bytes = Buffer.from('an archive')
const blob = {
  digest: digestOf(bytes),
  size: bytes.length,
  bytes: async function* () {
    yield bytes
  },
}
const upload = { repository, tag, blobs: [blob], manifest: Buffer.from('{}') }

/** Answers as a registry does; a call that is in `failing`, counted from 0, breaks with its code. */
function registry(failing: Record<number, string>) {
  const asked: string[] = []
  let blobIsThere = false
  const ask = async ({ method, target }: Question): Promise<Answer> => {
    const code = failing[asked.length]
    asked.push(`${method} ${target.replace(/.*\/(blobs|manifests)/, '$1').replace(/sha256.*/, '…')}`)
    if (code !== undefined) throw Object.assign(new Error(code), { code })
    const isThere = blobIsThere
    blobIsThere ||= method === 'PUT'
    const status = { GET: 404, HEAD: isThere ? 200 : 404, POST: 202, PUT: 201 }[method]
    return { status, header: (name) => (name === 'location' ? '/v2/charts/app/blobs/uploads/u' : undefined), body: '' }
  }
  return { asked, target: createImportTarget(ask) }
}

const whole = ['HEAD blobs/…', 'POST blobs/uploads/', 'PUT blobs/uploads/u?digest=…', 'PUT manifests/1.0.0']

describe('a push of an import', () => {
  it('looks for what is there, uploads the rest, and tags it', async () => {
    const { asked, target } = registry({})
    await target.push(upload)
    expect(asked).toEqual(whole)
  })

  it.each(['EPIPE', 'ECONNRESET'])('is done again where its connection broke: %s', async (code) => {
    const { asked, target } = registry({ 3: code })
    await target.push(upload)
    expect(asked).toEqual([...whole, 'HEAD blobs/…', 'PUT manifests/1.0.0'])
  })

  it('ends where the connection breaks again, or nobody is there', async () => {
    await expect(registry({ 0: 'EPIPE', 1: 'EPIPE' }).target.push(upload)).rejects.toThrow('The daemon has gone')
    await expect(registry({ 0: 'EPIPE', 1: 'ENOENT' }).target.push(upload)).rejects.toThrow('The daemon has gone')
    const { asked, target } = registry({ 0: 'ECONNREFUSED' })
    await expect(target.kept(repository, tag)).rejects.toMatchObject({ exitCode: 69 })
    expect(asked).toHaveLength(1)
  })

  it('fails with what nobody expected as it is', async () => {
    await expect(registry({ 2: 'ENOSPC' }).target.push(upload)).rejects.toMatchObject({ code: 'ENOSPC' })
  })
})
