/** What is said beside the output, and what both commands end with when they are interrupted. */
import { visible } from './visible.ts'

/** As shells have it: 128 and SIGINT. */
export const INTERRUPTED = 130

export function notice (text: string): void {
  process.stderr.write(`pastelli: ${visible(text)}\n`)
}
