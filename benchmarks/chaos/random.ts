/** Chances that come out the same for the same seed. */

export type Random = (from: number, to: number) => number

/** mulberry32. Answers a number from `from` up to, and without, `to`. */
export function seeded (seed: number): Random {
  let state = seed >>> 0
  return (from, to) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return from + ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * (to - from)
  }
}
