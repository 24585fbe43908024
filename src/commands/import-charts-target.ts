/** Where imported charts go: the daemon, or the app in this process. A connection that breaks once is no reason to end. */
import type { ChartTarget } from '../charts/ports.ts'
import { type Ask, createRegistryTarget } from '../charts/registry-target.ts'
import { hasCode } from '../store/errors.ts'
import { CommandError, exitCodes } from './exit-code.ts'

/** Its methods throw CommandError `unavailable` where the daemon has gone. */
export function createImportTarget(ask: Ask): ChartTarget {
  const target = createRegistryTarget(ask)
  return {
    kept: (repository, tag) => twice(() => target.kept(repository, tag)),
    push: (upload) => twice(() => target.push(upload)),
  }
}

/** Both can be done again: a push looks first for what is there. */
async function twice<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!hasCode(error, 'ECONNRESET', 'EPIPE')) return explainLoss(error)
    return await work().catch(explainLoss)
  }
}

function explainLoss(cause: unknown): never {
  if (!hasCode(cause, 'ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE')) throw cause
  const sentence = 'The daemon has gone. Run this again once it is there: it goes on where it stopped.'
  throw new CommandError(exitCodes.unavailable, sentence, { cause })
}
