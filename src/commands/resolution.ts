/** Asks which tag a range means, and reads the answer. */
import { z } from 'zod'
import { parseDigest } from '../oci/digest.ts'
import { parseTag } from '../oci/name.ts'
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

const loser = z.object({ tag: z.string(), reason: z.string() })
const resolutionSchema = z.object({
  tag: z.string().refine((tag) => parseTag(tag) !== undefined),
  digest: z.string().refine((digest) => parseDigest(digest) !== undefined),
  range: z.string(),
  profile: z.string(),
  candidates: z.array(z.string()),
  warning: z.string().optional(),
  losers: z.array(loser).optional(),
})

export type ResolvedRange = z.infer<typeof resolutionSchema> & {
  /** The answer as it came, for scripts. */
  json: string
}

const refusalSchema = z.object({
  errors: z
    .array(
      z.object({
        code: z.string(),
        message: z.string(),
        detail: z
          .object({ losers: z.array(loser).optional() })
          .optional()
          .catch(undefined),
      }),
    )
    .min(1),
})

/** @throws CommandError: `bad` for a range or a repository that is none, `unmatched`, `unavailable` where it could not be found out */
export async function askRange(asking: Asking, question: RangeQuestion): Promise<ResolvedRange> {
  const { repository, range, profile, why } = question
  const query = new URLSearchParams({
    range,
    ...(profile !== undefined && { profile }),
    ...(why === true && { why: 'true' }),
    ...(repository.ns !== undefined && { ns: repository.ns }),
  })
  // URLSearchParams writes a space as a plus sign, and a plus sign itself as %2B.
  const target = `/v2/${repository.name}/_entrepot/versions/resolve?${String(query).replaceAll('+', '%20')}`
  const reply = await asking.get(target)
  if (reply.status !== 200) throw refusal(reply, asking)
  return { ...resolutionSchema.parse(JSON.parse(reply.body)), json: reply.body }
}

function refusal({ status, body }: Reply, { alone }: Asking): CommandError {
  // Node answers what is longer than it reads, and has no body of ours.
  if (status === 414 || status === 431) return new CommandError(exitCodes.bad, 'The range is longer than 512 bytes.')
  const [error] = refusalSchema.parse(JSON.parse(body)).errors
  const why = (error?.detail?.losers ?? []).map(({ tag, reason }) => `\n  ${tag} ${reason}`).join('')
  // What cannot be read is wrong whoever is asked.
  const asked = alone === undefined || status === 400 ? '' : `${why === '' ? ' ' : '\n'}${askedAlone(alone)}`
  return new CommandError(
    exitCodeOfAnswer(status, error?.code),
    `${error?.message ?? `the daemon answered ${status}`}${why}${asked}`,
  )
}

/** What is not known here may be known to a daemon somewhere else. */
function askedAlone(data: string): string {
  return `No daemon runs on ${data}, so this asked by itself: name the daemon's directory with --data, or its configuration with --config.`
}

function exitCodeOfAnswer(status: number, code: string | undefined): number {
  if (code === 'RANGE_UNSATISFIED') return exitCodes.unmatched
  return [400, 404].includes(status) ? exitCodes.bad : exitCodes.unavailable
}
