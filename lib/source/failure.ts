/** What becomes of a stream whose source fails. */
import type { Connection } from '../connection/connection.ts'
import { hideError } from '../options.ts'
import { isThenable } from '../thenable.ts'

/** The client is told, as much as the app wants it to be, and the stream ends. */
export function failSource (connection: Connection<object>, err: unknown): void {
  if (connection.reason !== null) {
    noteFailure(connection, err)
    return
  }
  connection.log.error({ err, connection: connection.id }, 'the source of a stream failed')
  const block = connection.isBetween && connection.format.hasTypes ? encodeFailure(connection, err) : null
  if (block === null) {
    connection.destroy('error')   // else the client would take it for the whole
    return
  }
  connection.tell(() => block, 1)
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

function encodeFailure ({ format, settings, log, id }: Connection<object>, error: unknown): string | null {
  const blame = (err: unknown) => { log.error({ err, connection: id }, 'what a client shall be told of a failure can\'t be sent') }
  return shapeFailure(error, settings.errorData, (data) => format.encode(data, { event: 'error' }), blame)
}

/**
 * What clients are told of an error. The app's hook may fail as well, and so may what encodes it: then it is no more than
 * by default, or nothing.
 */
export function shapeFailure<Told> (error: unknown, errorData: (error: unknown) => unknown, encode: (data: unknown) => Told, blame: (error: unknown) => void): Told | null {
  for (const shape of new Set([errorData, hideError])) {
    try {
      const data = shape(error)
      if (isThenable(data)) data.then(undefined, () => {})   // too late, whatever it is: it can't be encoded
      return encode(data)
    } catch (err) {
      blame(err)
    }
  }
  return null
}
