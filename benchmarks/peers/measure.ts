/** One run of a test: its figures, or why it does not count. */
import type { Run } from './results.ts'
import { type Figures, Stage } from './stage.ts'
import type { Test } from './tests.ts'

const DIGITS = 5

/** @param program the peer's server, from `benchmarks/` */
export async function measure ({ run }: Test, program: string, patience?: number): Promise<Pick<Run, 'figures' | 'fault' | 'others'>> {
  const stage = new Stage(program, patience)
  try {
    const figures = rounded(await run(stage))
    return { figures, others: Number.isNaN(stage.others) ? null : Number(stage.others.toFixed(2)) }
  } catch (error) {
    return { figures: null, fault: reasonOf(error as Error), others: null }
  } finally {
    await stage.stop()
  }
}

function rounded (figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(DIGITS))]))
}

function reasonOf ({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
