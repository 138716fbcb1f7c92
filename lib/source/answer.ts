/** A source as the answer of a handler. */
import type { Connection } from '../connection/connection.ts'
import { failSource } from './failure.ts'
import { withPatience } from './patience.ts'
import { pipe } from './pipe.ts'
import type { Source } from './source.ts'

/**
 * Sends the source's items, then ends the stream. Resolves when the stream may open: with the first item, or when that
 * takes long.
 * @param opening is called right before that
 * @throws what the source throws before that
 */
export async function answerWith (connection: Connection<object>, source: Source, opening: () => void): Promise<void> {
  let isOpen = false
  const open = () => {
    if (isOpen || connection.reason !== null) return
    opening()
    isOpen = true
  }
  const first = new Promise<void>((resolve, reject) => {
    const begin = () => {
      open()
      resolve()
    }
    pipe(connection, source, begin).then((how) => {
      open()
      if (how === 'all') connection.complete()
      resolve()
    }).catch((error: unknown) => {
      if (!isOpen && connection.phase === 'opening') {
        reject(error)
        return
      }
      failSource(connection, error)
      resolve()
    })
  })
  await withPatience(first)
  open()
}
