/** One call to an upstream: its request, sent within the budget, and what its answer is read as. */
import type { RepositoryName } from '../oci/name.ts'
import type { Authorizer } from './authorizer.ts'
import { type BudgetOptions, createBudget, type RequestClass } from './budget.ts'
import type { Connector } from './connector.ts'
import { type Answer, type Ask, createExchange } from './exchange.ts'
import type { CallOptions } from './upstream.ts'

export interface CallerOptions {
  upstream: string
  url: URL
  connector: Connector
  authorizer: Authorizer
  budget?: Omit<BudgetOptions, 'upstream'>
}

interface CallRequest {
  kind: RequestClass
  repository: RepositoryName
  method: 'GET' | 'HEAD'
  url: URL
  accept: string
  /** The offset that a transfer goes on from. */
  from?: number
  /** Default `follow`. */
  redirects?: Ask['redirects']
}

/** `read` runs within the attempt: what it throws may be retried. `abort` ends what outlives the call, such as a transfer. */
export type Call = <T>(
  request: CallRequest,
  options: CallOptions | undefined,
  read: (answer: Answer, abort: () => void) => Promise<T>,
) => Promise<T>

export function createCaller({ upstream, url: base, connector, authorizer, ...options }: CallerOptions): Call {
  const budget = createBudget({ ...options.budget, upstream })
  const exchange = createExchange({ upstream, url: base, authorizer })
  return async (request, callOptions = {}, read) => {
    const { kind, repository, method, url, accept, from = 0, redirects = 'follow' } = request
    const headers = { accept, ...(from > 0 ? { range: `bytes=${from}-` } : {}) }
    const send = kind === 'blobs' ? connector.bytes : connector.metadata
    return await budget.spend(kind, callOptions, async (controller) => {
      const { signal } = controller
      const answer = await exchange({ repository, method, url, headers, send, redirects, signal })
      return await read(answer, () => controller.abort())
    })
  }
}
