/** A body as it was before it was compressed, as it comes. */
import { pipeline, type Readable } from 'node:stream'
import zlib from 'node:zlib'
import type { Coding } from '../../index.ts'

/** Which content codings this Node can undo. */
export const CODINGS: readonly Coding[] = 'createZstdDecompress' in zlib ? ['gzip', 'br', 'zstd'] : ['gzip', 'br']

/**
 * @param encoding the `Content-Encoding`; undefined: there is nothing to undo
 * @param failed gets what is wrong with the body: cut off, or not what it says
 */
export function decoded (body: Readable, encoding: string | undefined, failed: (error: Error) => void = () => {}): Readable {
  if (encoding === undefined) return body
  return pipeline(body, decoderOf(encoding), (error) => { if (error) failed(error) })
}

function decoderOf (encoding: string): ReturnType<typeof zlib.createGunzip> {
  if (encoding === 'gzip') return zlib.createGunzip()
  if (encoding === 'br') return zlib.createBrotliDecompress() as never
  return (zlib as unknown as { createZstdDecompress: typeof zlib.createGunzip }).createZstdDecompress()
}
