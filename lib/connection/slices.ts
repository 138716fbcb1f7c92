/** Large writes to a socket, cut so that a slow reader is seen to make progress. */
import type { Writable } from 'node:stream'

const SLICE_BYTES = 64 * 1024

export function writeSliced (target: Writable, bytes: Uint8Array, written?: () => void): void {
  let start = 0
  for (; bytes.length - start > SLICE_BYTES; start += SLICE_BYTES) target.write(bytes.subarray(start, start + SLICE_BYTES))
  target.write(start === 0 ? bytes : bytes.subarray(start), written)
}
