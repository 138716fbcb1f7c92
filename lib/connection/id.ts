/** Ids of connections: unguessable, so that nobody can name another one's; ASCII, so that any header or URL can carry them. */
import { randomFillSync } from 'node:crypto'

const ID_BYTES = 16

// Random bytes for many ids at once: the system call would cost more than the rest.
const pool = Buffer.allocUnsafeSlow(256 * ID_BYTES)
let used = pool.length

/** 128 random bits, in 22 characters of base64url. */
export function makeId (): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += ID_BYTES
  return pool.toString('base64url', used - ID_BYTES, used)
}
