/** Content codings: which of them a client gets, and what compresses a stream in each. */
import zlib from 'node:zlib'
import { preferredCoding } from '../wire/accept.ts'
import { CompressorTransport, type Compressor } from './compressor.ts'
import { GzipTransport } from './gzip.ts'
import type { PlainTransport, Transport } from './transport.ts'

/**
 * - `gzip`: everywhere; what many subscribers get is compressed once for all of them
 * - `br`, `zstd`: a little smaller, by a compressor for each connection
 */
export type Coding = 'gzip' | 'br' | 'zstd'

export const CODINGS: readonly Coding[] = ['gzip', 'br', 'zstd']

// What the types of Node 20 do not know.
interface Zstd {
  createZstdCompress: (options: { flush: number, params: Record<number, number> }) => Compressor
  constants: Record<'ZSTD_e_flush' | 'ZSTD_c_windowLog' | 'ZSTD_c_hashLog' | 'ZSTD_c_chainLog', number>
}

const { constants } = zlib

// Events are small, and there may be thousands of streams: 377 and 252 KiB for each of them instead of 614 and 882, and no
// byte more for an event (2026-11).
const BROTLI = {
  flush: constants.BROTLI_OPERATION_FLUSH,
  params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 16, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT }
}

/** The one that the client gets; null if it takes none of these, or says nothing of it. */
export function codingFor (acceptEncoding: string | undefined, wanted: readonly Coding[]): Coding | null {
  if (acceptEncoding === undefined || wanted.length === 0) return null
  return preferredCoding(acceptEncoding, wanted.filter((coding) => coding !== 'zstd' || 'createZstdCompress' in zlib))
}

/** The transport, for what has to be compressed first. The head is out. */
export function compressed (transport: PlainTransport, coding: Coding, closed: Promise<unknown>): Transport {
  if (coding === 'gzip') return new GzipTransport(transport)
  const compressor = coding === 'br' ? zlib.createBrotliCompress(BROTLI) : createZstd()
  void closed.then(() => { compressor.destroy() })
  return new CompressorTransport(transport, compressor)
}

function createZstd (): Compressor {
  const { createZstdCompress, constants: known } = zlib as unknown as Zstd
  const params = { [known.ZSTD_c_windowLog]: 16, [known.ZSTD_c_hashLog]: 14, [known.ZSTD_c_chainLog]: 14 }
  return createZstdCompress({ flush: known.ZSTD_e_flush, params })
}
