/** A source as the answer of a handler: until its first item is there, it may fail like any handler. */
import type { Connection } from '../connection/connection.ts'
import { failSource } from './failure.ts'
import { pipe } from './pipe.ts'
import type { Source } from './source.ts'

// A stream whose first item takes longer opens before it, so that nobody on the way takes it for dead, ms.
const PATIENCE = 5_000

/**
 * Sends the source's items, then ends the stream. Resolves when the stream may open: with the first item, or when that
 * takes long.
 * @throws what the source throws before that
 */
export function answerWith (connection: Connection<object>, source: Source): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOpen = false
    const open = () => {
      isOpen = true
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(open, PATIENCE)
    pipe(connection, source, open).then((how) => {
      open()
      if (how === 'all') connection.close()
    }, (error: unknown) => {
      clearTimeout(timer)
      if (isOpen) failSource(connection, error)
      else reject(error)
    })
  })
}
