/** Two contenders in turns: whatever else the machine does meanwhile hits both, so their ratio stands where single figures do not. */

export interface Turns {
  ours: number[]
  theirs: number[]
  /** The median of ours / theirs over the pairs of neighbouring runs. */
  ratio: number
}

/** @param ours measures once, and so does `theirs`; who begins changes with every pair */
export async function inTurns(
  runs: number,
  contenders: { ours: () => Promise<number>; theirs: () => Promise<number> },
): Promise<Turns> {
  const ours: number[] = []
  const theirs: number[] = []
  for (let run = 0; run < runs; run += 1) {
    if (run % 2 === 0) ours.push(await contenders.ours())
    theirs.push(await contenders.theirs())
    if (run % 2 === 1) ours.push(await contenders.ours())
  }
  return { ours, theirs, ratio: median(ours.map((value, index) => value / (theirs[index] ?? Number.NaN))) }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
