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

interface Zstd {
  createZstdCompress: (options: { flush: number }) => Compressor
  constants: { ZSTD_e_flush: number }
}

const { constants } = zlib

// Events are small and there may be thousands of streams: a quarter of a MiB for each would buy next to nothing.
const BROTLI = {
  flush: constants.BROTLI_OPERATION_FLUSH,
  params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 16, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT }
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
  const { createZstdCompress, constants: { ZSTD_e_flush: flush } } = zlib as unknown as Zstd
  return createZstdCompress({ flush })
}
