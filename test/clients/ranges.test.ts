/**
 * What `pick` decides is what the real clients decide, in tag and in whether the range is one: Helm by its own code, Flux and Argo CD by their
 * lines over their own libraries. More cases: ENTREPOT_TEST_RANGES=200000; others: ENTREPOT_TEST_RANGES_SEED=7.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InvalidRangeError } from '../../src/version/invalid-range.ts'
import { pick } from '../../src/version/pick.ts'
import type { Profile } from '../../src/version/profile.ts'
import { missingOracles, type Oracle } from '../support/tools.ts'
import { createDice, randomQuestion, randomRanges, stableUpTo, versionOf } from './oracle-cases.ts'
import { type Answer, ask, type Question } from './oracle.ts'

interface Proof {
  profile: Profile
  oracle: Oracle
  /** In bytes, where the client has no limit and the engine does. */
  engineLimit?: number
}

const proofs: Proof[] = [
  { profile: 'helm', oracle: 'helm3' },
  { profile: 'helm', oracle: 'helm4' },
  { profile: 'helm-legacy', oracle: 'helm-legacy', engineLimit: 512 },
  { profile: 'flux', oracle: 'flux' },
  { profile: 'argo', oracle: 'argo', engineLimit: 512 },
]
const seed = Number(process.env['ENTREPOT_TEST_RANGES_SEED'] ?? 4)
const count = Number(process.env['ENTREPOT_TEST_RANGES'] ?? 10_000)
const lists = readTagLists()
const vectors = readVectors()

const missing = missingOracles(...proofs.map(({ oracle }) => oracle))
if (missing.length > 0)
  console.warn(`skipped: run test/clients/install ${missing.map((name) => `oracle-${name}`).join(' ')}`)

describe.skipIf(missing.length > 0)('version ranges beside the real clients', { timeout: 600_000 }, () => {
  test.each(proofs)(`$oracle and $profile agree on ${count} random cases`, async (proof) => {
    const dice = createDice(seed)
    await compare(
      proof,
      Array.from({ length: count }, () => randomQuestion(dice)),
    )
  })

  test.each(proofs)('$oracle and $profile agree on the vectors', async (proof) => {
    await compare(proof, vectors)
  })

  test.each(['helm3', 'helm4'] as const)('%s decides the vectors as they say', async (oracle) => {
    const answers = await ask(oracle, vectors)
    expect(answers.map(({ tag = 'NONE' }) => tag)).toEqual(vectors.map(({ expected }) => expected))
  })

  test.each(proofs)('$oracle and $profile agree on 60 ranges over each real tag list', async (proof) => {
    const dice = createDice(seed + 1)
    const questions = lists.flatMap((tags) => randomRanges(dice, tags, 60).map((range) => ({ range, tags })))
    await compare(proof, questions)
  })

  // Helm replaces white space and drops what cannot be printed when it loads a chart, and a dependency has no default version.
  test.each(proofs.slice(0, 3))('$oracle locks dependencies to what $profile picks', async (proof) => {
    const dice = createDice(seed + 2)
    const questions = Array.from({ length: count / 10 }, () => randomQuestion(dice))
    const printable = questions.filter(({ range }) => /^[\x20-\x7e]+$/.test(range))
    await compare(proof, printable, ['dependency'])
  })
})

async function compare(proof: Proof, questions: readonly Question[], mode: string[] = []): Promise<void> {
  const answers = await ask(proof.oracle, questions, mode)
  const differences = questions.flatMap((question, at) => difference(proof, question, answers[at] ?? {}, mode))
  expect(differences.slice(0, 10).join('\n'), `${differences.length} differences with seed ${seed}`).toBe('')
}

function difference(proof: Proof, question: Question, theirs: Answer, mode: string[]): string[] {
  const ours = decide(question, proof.profile)
  if (ours.tag === theirs.tag && (ours.tag !== undefined || ours.isInvalid === (theirs.error === 'invalid'))) return []
  if (isOverEngineLimit(proof, question) && ours.tag === undefined) return []
  if (mode.includes('dependency') && theirs.error === 'invalid' && isUnread(question, ours.tag)) return []
  if (isTie(question, ours.tag, theirs.tag)) return []
  return [JSON.stringify({ range: question.range, tags: abridged(question.tags), ours, theirs })]
}

function decide({ range, tags }: Question, profile: Profile): { tag?: string | undefined; isInvalid: boolean } {
  try {
    return { tag: pick(range, tags, profile), isInvalid: false }
  } catch (error) {
    if (error instanceof InvalidRangeError) return { isInvalid: true }
    throw error
  }
}

function isOverEngineLimit({ engineLimit = Infinity }: Proof, { range }: Question): boolean {
  return Buffer.byteLength(range) > engineLimit
}

/**
 * `helm dependency update` reads the range first; `helm pull` only where the list has a version, and Helm before 3.19 where none has its very name.
 */
function isUnread({ range, tags }: Question, ours: string | undefined): boolean {
  if (ours !== undefined) return ours === range.replaceAll('+', '_')
  return tags.every((tag) => pick('>=0.0.0-0', [tag], 'helm') === undefined)
}

/** Go leaves the order of equal versions open in a longer list; the engine's rule is the first listed. */
function isTie({ tags }: Question, ours: string | undefined, theirs: string | undefined): boolean {
  if (ours === undefined || theirs === undefined || tags.length <= stableUpTo) return false
  return versionOf(ours) === versionOf(theirs) && tags.indexOf(ours) < tags.indexOf(theirs)
}

function abridged(tags: readonly string[]): readonly string[] {
  return tags.length <= 100 ? tags : [...tags.slice(0, 100), `... ${tags.length - 100} more`]
}

function readTagLists(): string[][] {
  const folder = join(import.meta.dirname, '..', 'data', 'tags')
  return readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
}

/** The range, the tags, and the tag that Helm takes or NONE; the first may be empty or white space. */
function readVectors(): (Question & { expected: string })[] {
  const file = readFileSync(join(import.meta.dirname, '..', 'version', 'semver-cases.tsv'), 'utf8')
  return file
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [range = '', tags = '', expected = ''] = line.split('\t')
      return { range, tags: JSON.parse(tags), expected }
    })
}
