/**
 * gzip for responses that stay open: each piece ends at a byte and can be read at once, and leans on nothing but the one
 * before it, so that a piece that many get is compressed once for all who have the same behind them.
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
import { constants, deflateRawSync, type ZlibOptions } from 'node:zlib'

/** What a stream begins with: deflate, no flags, no time, of an unknown system. */
export const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

// A piece of this size needs no more than this window, and to set up a larger one would cost twice as much (2026-11).
const SMALL_BYTES = 4 * 1024
const SMALL: ZlibOptions = { windowBits: 12, memLevel: 4 }

// It happens on the main thread: pieces larger than this take less care and a fourth of the time.
const LARGE_BYTES = 16 * 1024
const LARGE: ZlibOptions = { level: 1 }

/**
 * A piece of a stream, compressed.
 * @param before the piece ahead of it, as it was, 32 KiB at most; null if its reader may have anything there
 */
export function deflate (bytes: Uint8Array, before: Uint8Array | null): Buffer {
  const options = bytes.byteLength <= SMALL_BYTES ? SMALL : bytes.byteLength <= LARGE_BYTES ? {} : LARGE
  const leaning = before === null ? options : { ...options, dictionary: before }
  return deflateRawSync(bytes, { ...leaning, finishFlush: constants.Z_SYNC_FLUSH })
}

/**
 * What a stream ends with: an empty last block, and what tells that all is there.
 * @param crc the CRC-32 of everything, as it was
 * @param size its bytes
 */
export function gzipTail (crc: number, size: number): Buffer {
  const tail = Buffer.from([0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  tail.writeUInt32LE(crc, 2)
  tail.writeUInt32LE(size % 2 ** 32, 6)
  return tail
}
