/** A repository as handlers get it: with what its configuration says of it, and what else of the registry they need. */
import type { RangeRules } from '../repository/range-rules.ts'
import type { Ranges } from '../repository/ranges.ts'
import type { Repository } from '../repository/repository.ts'
import type { Client } from './client.ts'

/**
 * The repository that a path names, no I/O. `namespace` is echoed as OCI-Namespace.
 * @throws OciError for names that no configuration knows
 */
export type Resolve = (
  path: string,
  ns: string | undefined,
) => { repository: Repository; rules: RangeRules; namespace?: string }

export interface Served {
  repository: Repository
  rules: RangeRules
  ranges: Ranges
  resolve: Resolve
  client: Client
}
