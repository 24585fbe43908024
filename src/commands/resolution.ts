/** Asks which tag a range means, and reads the answer. */
import { z } from 'zod'
import type { Asking, Reply } from './asking.ts'
import { CommandError, exitCodes } from './exit-code.ts'
import type { RepositoryReference } from './repository-reference.ts'

export interface RangeQuestion {
  repository: RepositoryReference
  range: string
  /** `undefined`: the repository's own. */
  profile?: string | undefined
  why?: boolean | undefined
}

const resolutionSchema = z.object({
  tag: z.string(),
  digest: z.string(),
  range: z.string(),
  profile: z.string(),
  candidates: z.array(z.string()),
  warning: z.string().optional(),
  losers: z.array(z.object({ tag: z.string(), reason: z.string() })).optional(),
})

export type ResolvedRange = z.infer<typeof resolutionSchema> & {
  /** The answer as it came, for scripts. */
  json: string
}

const errorSchema = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string() })).min(1) })

/** @throws CommandError: `bad` for a range that is none, `no` where nothing matches, `unavailable` where it could not be found out */
export async function askRange(asking: Asking, { repository, range, profile, why }: RangeQuestion) {
  const query = new URLSearchParams({
    range,
    ...(profile !== undefined && { profile }),
    ...(why === true && { why: 'true' }),
    ...(repository.ns !== undefined && { ns: repository.ns }),
  })
  // A plus sign means itself in a request target, and a range may have one.
  const reply = await asking.get(
    `/v2/${repository.name}/_entrepot/versions/resolve?${String(query).replaceAll('+', '%20')}`,
  )
  if (reply.status !== 200) throw refusal(reply)
  return { ...resolutionSchema.parse(JSON.parse(reply.body)), json: reply.body } satisfies ResolvedRange
}

function refusal({ status, body }: Reply): CommandError {
  const [error] = errorSchema.parse(JSON.parse(body)).errors
  const sentence = error?.message ?? `the daemon answered ${status}`
  if (status === 400) return new CommandError(exitCodes.bad, sentence)
  return new CommandError(status === 404 || status === 403 ? exitCodes.no : exitCodes.unavailable, sentence)
}
