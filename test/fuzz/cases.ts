/**
 * How many cases are tried, and which.
 *
 * PASTELLI_FUZZ_CASES: as in test/wire/round-trip.test.ts, default 100,000; with another number each test that asks here tries as many
 * times more or less. PASTELLI_FUZZ_SEED: which ones; there is no chance without it.
 */
import t from 'tap'

const SCALE = Number(process.env.PASTELLI_FUZZ_CASES ?? 100_000) / 100_000

// Ten times what any file here takes on a quiet machine.
const PATIENCE = 120_000

export const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? 20261130)

/** @param usual how many there are unless somebody asks for more or less */
export function cases (usual: number): number {
  return Math.max(1, Math.ceil(usual * SCALE))
}

t.setTimeout(PATIENCE * Math.max(1, SCALE))
t.comment(`PASTELLI_FUZZ_CASES=${SCALE * 100_000} PASTELLI_FUZZ_SEED=${SEED}`)
