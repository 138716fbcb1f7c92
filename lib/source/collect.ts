/** All that a source has, at once, as a JSON array: for clients that can't stream. */
import type { Connection } from '../connection/connection.ts'
import { PST_ERR_TOO_LARGE } from '../errors.ts'
import { ndjson } from '../wire/ndjson.ts'
import { drain } from './pipe.ts'
import type { Source } from './source.ts'

/**
 * @param limit bytes; a source that has more, or never ends, is told to stop
 * @returns null if the client left
 * @throws PST_ERR_TOO_LARGE, PST_ERR_NOT_ACCEPTABLE for bytes, what `event` throws, and what the source throws
 */
export async function collect (connection: Connection<object>, source: Source, limit: number): Promise<string | null> {
  const items: string[] = []
  let size = 0
  const outcome = await drain(connection, source, (item) => {
    if (item instanceof Uint8Array) throw connection.refusal   // they may be anything
    const line = connection.encodeIn(ndjson, item)
    if (line === '') return true
    size += Buffer.byteLength(line)
    if (size > limit) throw new PST_ERR_TOO_LARGE(String(limit))
    items.push(line.slice(0, -1))
    return true
  })
  return outcome === 'all' ? `[${items.join(',')}]` : null
}
