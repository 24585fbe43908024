/**
 * Helm's own page "Use OCI-based registries", line by line, against the daemon: section after section, with Helm 3 and 4, at
 * localhost:5000 with nothing configured, over TLS, and with users and rights. docs/helm.md is held to what was seen here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingTools } from '../support/tools.ts'
import { newUsers, plainHttp, privateAuthority, usersAndRights } from './helm-page/beyond.ts'
import { documentedCommands, mentionedCommands, patternOf, text } from './helm-page/documented.ts'
import { chartManifest } from './helm-page/manifests.ts'
import { migrating } from './helm-page/migrating.ts'
import { modes } from './helm-page/modes.ts'
import { ociSupport } from './helm-page/oci-support.ts'
import { openPage, type Page } from './helm-page/page.ts'
import { pushSubcommand, registrySubcommand } from './helm-page/registries.ts'
import { fullTable, resultTable, transcripts } from './helm-page/results.ts'
import { dependencies, otherSubcommands } from './helm-page/subcommands.ts'
import { upstreamNames } from './helm-page/upstream-names.ts'

const missing = missingTools('helm3', 'helm4', 'crane', 'gpg', 'script')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''

describe.skipIf(missing.length > 0)(`the Helm page${hint}`, () => {
  describe.each(modes)('Helm $title', (mode) => {
    const page = openPage(mode)
    beforeAll(() => prepare(page), 60_000)

    newUsers(page)
    ociSupport(page)
    registrySubcommand(page)
    pushSubcommand(page)
    upstreamNames(page)
    otherSubcommands(page)
    dependencies(page)
    chartManifest(page)
    migrating(page)
    plainHttp(page)
    privateAuthority(page)
    usersAndRights(page)
  })

  afterAll(() => console.log(`The Helm page:\n\n${fullTable()}\n\n${resultTable()}\n`))

  describe('docs/helm.md', () => {
    test('shows this table', () => {
      expect(text).toContain(resultTable())
    })

    test.each(documentedCommands)('$ $command prints what it shows', ({ command, output }) => {
      const isRefusal = output.includes('Error: ')
      const seen = transcripts.filter((one) => one.command === command && one.worked === !isRefusal)
      expect(seen).not.toEqual([])
      // A command is refused for many reasons, of which the page shows one.
      if (isRefusal) expect(seen.map((one) => one.output)).toContainEqual(expect.stringMatching(patternOf(output)))
      else for (const one of seen) expect(one).toMatchObject({ output: expect.stringMatching(patternOf(output)) })
    })

    test.each(mentionedCommands)('%s was run', (command) => {
      expect(transcripts.map((one) => one.command)).toContainEqual(expect.stringContaining(command))
    })
  })
})

/** The chart of the page. */
async function prepare({ run }: Page): Promise<void> {
  await run('helm create mychart')
  await run('helm package mychart')
}
