/** The rules once more, as the architecture says them, for tests that compare: shares no code with src/registry/access. */
import type { RuleText } from './house.ts'

/** @param user `undefined`: nobody has signed in */
export function mayModel(rules: RuleText[], user: string | undefined, key: string, action: string): boolean {
  const covers = (pattern: string) =>
    new RegExp(
      `^${pattern
        .replaceAll('.', '\\.')
        .replaceAll('**', '.+')
        .replaceAll(/(?<!\.)\*|\*(?=\/)/g, '[^/]+')}$`,
    ).test(key)
  for (const rule of rules) {
    const named = rule.users.includes(user ?? 'anonymous') || (user !== undefined && rule.users.includes('*'))
    if (named && rule.actions.some((one) => one === action) && rule.repositories.some(covers)) return true
  }
  return false
}

export interface Dice {
  /** What it was thrown with: a failure can be run again, with ENTREPOT_TEST_SEED. */
  seed: number
  random: () => number
  pick: <T>(items: readonly [T, ...T[]]) => T
  /** Each with this probability. */
  some: <T>(items: readonly T[], share: number) => T[]
}

export function throwDice(): Dice {
  const seed = Number(process.env['ENTREPOT_TEST_SEED'] ?? Date.now() % 2 ** 31)
  const random = randomFrom(seed)
  return {
    seed,
    random,
    pick: (items) => items[Math.floor(random() * items.length)] ?? items[0],
    some: (items, share) => items.filter(() => random() < share),
  }
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
