/** What becomes of a stream whose source fails. */
import type { Connection } from '../connection/connection.ts'
import { hideError } from '../options.ts'
import { encodeData } from '../wire/event-stream.ts'

/** The client is told, as much as the app wants it to be, and the stream ends. */
export function failSource (connection: Connection<object>, err: unknown): void {
  if (connection.reason !== null) return
  connection.log.error({ err, connection: connection.id }, 'the source of a stream failed')
  if (!connection.isBetween || !connection.format.hasTypes) {
    connection.destroy('error')   // else the client would take it for the whole
    return
  }
  connection.tell(connection.format.encode(errorData(connection, err), { event: 'error' }), 1)
  connection.close('error')
}

/** What failed when the stream was over has nobody left to hear it but the log. */
export function noteFailure ({ id, log }: Pick<Connection<object>, 'id' | 'log'>, err: unknown): void {
  log.error({ err, connection: id }, 'the source of a stream failed after the stream')
}

// The app's hook may fail as well: then the client is told no more than by default.
function errorData (connection: Connection<object>, error: unknown): unknown {
  try {
    const data = connection.settings.errorData(error)
    encodeData(data)
    return data
  } catch (err) {
    connection.log.error({ err, connection: connection.id }, 'errorData failed')
    return hideError()
  }
}
