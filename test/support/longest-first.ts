/** The order of test files: those that take minutes begin first, or a run would end with one of them alone. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const longest = [
  'crash/lost-catalog',
  'clients/helm-page',
  'clients/access',
  'clients/signatures',
  'crash/',
  'clients/',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- the order of the sequencer below, no array's
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = longest.findIndex((part) => moduleId.includes(`/test/${part}`))
  return rank < 0 ? longest.length : rank
}
