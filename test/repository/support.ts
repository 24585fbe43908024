import { parsePattern, type Pattern } from '../../src/oci/pattern.ts'
import type { Repository } from '../../src/repository/repository.ts'

/** A repository for tests in which nobody reads from one. */
export const silentRepository: Repository = {
  key: 'nowhere/silent',
  manifest: unexpected,
  stat: unexpected,
  blob: unexpected,
  tags: unexpected,
  knows: unexpected,
  lacks: unexpected,
  kept: unexpected,
  firstComplete: unexpected,
  referrers: unexpected,
}

export function patterns(...texts: string[]): Pattern[] {
  return texts.map((text) => {
    const pattern = parsePattern(text)
    if (pattern === undefined) throw new Error(`${text} is no pattern`)
    return pattern
  })
}

function unexpected(): Promise<never> {
  return Promise.reject(new Error('nobody reads in this test'))
}
