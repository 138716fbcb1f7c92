/** What the README quotes of the results: rows of its table against peers. */
import { kibibytes, microseconds, perSecond } from './figures.ts'
import { QUOTED, row } from '../readme.ts'
import { type Results, summary } from './results.ts'
import type { Figure } from './stage.ts'

const ROWS: Array<{ head: string, test: string, figure: Figure, format: (value: number) => string }> = [
  { head: 'CPU of a delivery to 1,000 clients ([measured](benchmarks/RESULTS.md))', test: 'fan-out-1000', figure: 'cpu', format: (cpu) => `${microseconds(cpu)} µs` },
  { head: 'CPU of an event that a generator yields', test: 'tokens-1', figure: 'cpu', format: (cpu) => `${microseconds(cpu)} µs` },
  { head: 'memory of an idle connection', test: 'memory', figure: 'memory', format: (bytes) => `${kibibytes(bytes)} KiB` },
  { head: 'streams that open and end in a second, on one core', test: 'churn', figure: 'rate', format: perSecond }
]

export function quotesOf ({ runs }: Results): string[] {
  return ROWS.map(({ head, test, figure, format }) => row(head, ['pastelli', ...QUOTED].map((peer) => {
    const found = summary(runs, test, peer, figure)
    return found === undefined ? '✗' : format(found.median)
  })))
}
