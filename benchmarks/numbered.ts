/** An event as the readers of benchmarks know it: its number, and when it was published. */

const SIZE = 100

export function numbered (n: number): string {
  const head = `{"n":${n},"at":${process.hrtime.bigint()},"pad":"`
  return head + 'x'.repeat(Math.max(0, SIZE - head.length - 2)) + '"}'
}
