import { UpstreamError } from '../../src/oci/errors.ts'

/** The UpstreamError that a call ends in; anything else fails the test. */
export async function caught(work: Promise<unknown>): Promise<UpstreamError> {
  const outcome: unknown = await work.catch((error: unknown) => error)
  if (!(outcome instanceof UpstreamError)) throw new Error('not an UpstreamError', { cause: outcome })
  return outcome
}
