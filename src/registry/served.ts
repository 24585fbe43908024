/** A repository as handlers get it: with what its configuration says of version ranges. */
import type { RangeRules } from '../repository/range-rules.ts'
import type { Ranges } from '../repository/ranges.ts'
import type { Repository } from '../repository/repository.ts'

export interface Served {
  repository: Repository
  rules: RangeRules
  ranges: Ranges
}
