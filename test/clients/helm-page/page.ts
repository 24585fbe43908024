/** The page in the hands of one user: its commands run in a shell, its lines are tests whose results go into the table. */
import { mkdir, mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFailed, test } from 'vitest'
import { type HeldManifest, heldBlob, heldManifest, heldTags } from './held.ts'
import { type House, openHouse } from './house.ts'
import type { Mode } from './modes.ts'
import { record, transcripts } from './results.ts'
import { shell } from './shell.ts'

interface Command {
  /** What to type at its prompts. */
  answers?: readonly string[]
  /** In the working folder, made where it is not there; default that itself. */
  folder?: string
  /** What an address of the page stands for. */
  here?: readonly [page: string, here: string]
  /** Instead of the mode's. */
  flags?: readonly string[]
  /** Variables that the user does not have. */
  without?: readonly string[]
}

export interface Page {
  readonly mode: Mode
  readonly house: () => House
  /** A test named by a line of the page, which is a row of the table. */
  readonly line: (title: string, body: () => Promise<void>) => void
  /** What a command printed, which is the page's but for the mode's flags and port. @throws where it fails */
  readonly run: (command: string, options?: Command) => Promise<string>
  /** What a command printed that must fail. @throws where it does not */
  readonly refused: (command: string, options?: Command) => Promise<string>
  /** A file of the working folder. */
  readonly file: (path: string) => Promise<Buffer>
  readonly manifest: (repository: string, reference: string) => Promise<HeldManifest>
  readonly blob: (repository: string, digest: string) => Promise<Buffer>
  readonly tags: (repository: string) => Promise<string[]>
}

/** Commands that reach a registry; `logout` only forgets. */
const reaching = /\bhelm (?:push|pull|show \w+|template|install|upgrade|dependency update|registry login) /

/** A house of its own, from before the tests of this `describe` until after them. */
export function openPage(mode: Mode): Page {
  let opened: House | undefined
  beforeAll(async () => {
    opened = await openHouse(mode)
  }, 60_000)
  afterAll(() => opened?.close(), 60_000)

  const house = () => {
    if (!opened) throw new Error('the house is not open')
    return opened
  }

  const finish = (command: string, options?: Command) => execute(house(), mode, command, options)

  return {
    mode,
    house,
    line(title, body) {
      record(title, mode.title, false)
      test(
        title,
        async () => {
          onTestFailed(() => console.log(house().log().trimEnd().split('\n').slice(-15).join('\n')))
          await body()
          record(title, mode.title, true)
        },
        120_000,
      )
    },
    async run(command, options) {
      const { code, printed } = await finish(command, options)
      if (code !== 0) throw new Error(`${command} ended with ${code}:\n${printed}`)
      return printed
    },
    async refused(command, options) {
      const { code, printed } = await finish(command, options)
      if (code === 0) throw new Error(`${command} was not refused:\n${printed}`)
      return printed
    },
    file: (path) => readFile(join(house().folder, path)),
    manifest: (repository, reference) => heldManifest(house().data, repository, reference),
    blob: (repository, digest) => heldBlob(house().data, repository, digest),
    tags: (repository) => heldTags(house().data, repository),
  }
}

async function execute(house: House, mode: Mode, command: string, options: Command = {}) {
  const { answers, folder = '.', without = [], flags = mode.flags, here = ['', ''] } = options
  const { etc, registry, env, folder: work } = house
  const added = reaching.test(command) ? flags : []
  const filled = command
    .replace(...here)
    .replaceAll('localhost:5000', registry)
    .replaceAll('/etc/entrepot', etc)
  const known = Object.entries(env).filter(([name]) => !without.includes(name))
  // Nothing that Helm fetched before may answer.
  const cache = { HELM_CACHE_HOME: await mkdtemp(join(work, '..', 'cache-')) }
  const cwd = join(work, folder)
  await mkdir(cwd, { recursive: true })
  const { code, output } = await shell([filled, ...added].join(' '), {
    env: { ...Object.fromEntries(known), ...cache },
    cwd,
    answers,
  })
  const there = output.replaceAll(registry, 'localhost:5000').replaceAll(etc, '/etc/entrepot')
  // crane asks localhost over http as well where https takes longer than 300 ms, and says that it does.
  const printed = there.replaceAll(/^\S+ \S+ retrying .*\n/gm, '')
  transcripts.push({ command, output: printed, worked: code === 0, title: mode.title })
  return { code, printed }
}
