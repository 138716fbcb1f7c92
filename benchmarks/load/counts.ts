/** How often something was, by its name. */

export type Counts = Record<string, number>

export function countsOf (entries: Iterable<readonly [name: string, count: number]>): Counts {
  const counts: Counts = {}
  for (const [name, count] of entries) counts[name] = (counts[name] ?? 0) + count
  return counts
}

export function sumOf (...all: readonly Counts[]): Counts {
  return countsOf(all.flatMap((counts) => Object.entries(counts)))
}
