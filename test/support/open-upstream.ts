/** The real upstream client over real sockets, with limits small enough for tests. */
import type { Authorizer } from '../../src/upstream/authorizer.ts'
import type { BudgetOptions } from '../../src/upstream/budget.ts'
import { createUpstream } from '../../src/upstream/client.ts'
import { type ConnectorOptions, createConnector } from '../../src/upstream/connector.ts'
import type { TransferBounds } from '../../src/upstream/transfer.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'

export interface OpenUpstreamOptions {
  name?: string
  connector?: Partial<ConnectorOptions>
  budget?: Omit<BudgetOptions, 'upstream'>
  /** Anonymous by default. */
  authorizer?: Authorizer
  tagsPageSize?: number
  transfers?: TransferBounds
}

const anonymous: Authorizer = {
  identity: async () => 'anonymous',
  header: async () => undefined,
  answer: async () => undefined,
}

/** `address`: where it is, such as the `url` of a scripted registry. Its own host alone may be private. */
export function openUpstream(address: string, options: OpenUpstreamOptions = {}): Upstream {
  const url = new URL(address)
  const { name = 'registry.test', authorizer = anonymous, tagsPageSize, transfers } = options
  const connector = createConnector({ upstream: name, privateHosts: [url.host], ...options.connector })
  const budget = { delay: 1, ...options.budget }
  return createUpstream({ name, url, connector, authorizer, budget, tagsPageSize, transfers })
}
