/** What becomes of a stream whose source fails. */
import type { Connection } from '../connection/connection.ts'
import { hideError } from '../options.ts'
import { encodeData } from '../wire/event-stream.ts'

/** The client is told, as much as the app wants it to be, and the stream ends. */
export function failSource (connection: Connection<object>, err: unknown): void {
  if (connection.reason !== null) {
    noteFailure(connection, err)
    return
  }
  connection.log.error({ err, connection: connection.id }, 'the source of a stream failed')
  if (!connection.isBetween || !connection.format.hasTypes) {
    connection.destroy('error')   // else the client would take it for the whole
    return
  }
  connection.tell(connection.format.encode(errorData(connection, err), { event: 'error' }), 1)
  connection.close('error')
}

/** What fails when the stream is over has nobody left to hear it but the log. What the end does to those who wait is no failure. */
export function noteFailure ({ id, log, signal }: Pick<Connection<object>, 'id' | 'log' | 'signal'>, err: unknown): void {
  const { cause } = Object(err) as { cause?: unknown }
  if (isOfTheEnd(err, signal) || isOfTheEnd(cause, signal)) return
  log.error({ err, connection: id }, 'the source of a stream failed after the stream')
}

function isOfTheEnd (error: unknown, { aborted, reason }: AbortSignal): boolean {
  const { name, code } = Object(error) as { name?: unknown, code?: unknown }
  return (aborted && error === reason) || name === 'AbortError' || code === 'ERR_STREAM_PREMATURE_CLOSE'
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
