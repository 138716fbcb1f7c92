/** An event as the readers of benchmarks know it: its number, and when it was published. */

const SIZE = 100

/** JSON of so many bytes, if that is enough for what it says. */
export function numbered (n: number, size = SIZE): string {
  return pad(`{"n":${n},"at":${process.hrtime.bigint()},"pad":"`, size)
}

/** The same without a look at the clock. */
export function counted (n: number, size: number): string {
  return pad(`{"n":${n},"pad":"`, size)
}

function pad (head: string, size: number): string {
  return head + 'x'.repeat(Math.max(0, size - head.length - 2)) + '"}'
}
