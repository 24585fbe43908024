/** `entrepot resolve REF RANGE`: the tag and the digest that a range means now. */
import { loadConfig } from '../config/load.ts'
import type { Flags } from '../config/settings.ts'
import { openAsking, requireTypedDirectory } from './asking.ts'
import { printable } from './exit-code.ts'
import { homeFolder } from './home.ts'
import { readRepository } from './repository-reference.ts'
import { askRange, type ResolvedRange } from './resolution.ts'

export interface ResolveFlags extends Flags {
  profile?: string | undefined
  why?: boolean | undefined
  json?: boolean | undefined
}

/** Prints `<tag> <digest>` on stdout; what stands in the way, and warnings, go to stderr. */
export async function resolve(reference: string, range: string, flags: ResolveFlags): Promise<void> {
  const config = loadConfig({ flags, env: process.env, home: homeFolder() })
  const repository = readRepository(reference, config)
  await requireTypedDirectory(config, flags)
  const asking = await openAsking(config, flags)
  try {
    const found = await askRange(asking, { repository, range, profile: flags.profile, why: flags.why })
    if (found.warning !== undefined) process.stderr.write(`entrepot: warning: ${printable(found.warning)}\n`)
    process.stdout.write(
      flags.json ? `${found.json}\n` : printable(`${found.tag} ${found.digest}\n${explained(found)}`),
    )
  } finally {
    await asking.close()
  }
}

function explained({ candidates, losers, profile, range }: ResolvedRange): string {
  if (!losers) return ''
  const matching = candidates.map((tag) => `  ${tag}\n`).join('')
  const matched = new Set(candidates)
  const refused = losers.filter(({ tag }) => !matched.has(tag))
  const others = refused.map(({ tag, reason }) => `  ${tag} ${reason}\n`).join('')
  return `\nmatches ${range} by the rules of ${profile}, best first:\n${matching}\ndoes not match:\n${others}`
}
