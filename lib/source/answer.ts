/** A source as the answer of a handler. */
import type { Connection } from '../connection/connection.ts'
import { failSource } from './failure.ts'
import { withPatience } from './patience.ts'
import { pipe } from './pipe.ts'
import type { Source } from './source.ts'

/**
 * Sends the source's items, then ends the stream. Resolves when the stream may open: with the first item, or when that
 * takes long.
 * @throws what the source throws before that
 */
export async function answerWith (connection: Connection<object>, source: Source): Promise<void> {
  let isOpen = false
  const first = new Promise<void>((resolve, reject) => {
    const open = () => {
      isOpen = true
      resolve()
    }
    pipe(connection, source, open).then((how) => {
      open()
      if (how === 'all') connection.close()
    }, (error: unknown) => {
      if (isOpen) failSource(connection, error)
      else reject(error)
    })
  })
  await withPatience(first)
  isOpen = true
}
