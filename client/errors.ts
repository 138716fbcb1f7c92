/** Why a stream failed: an error with a stable code. */

/**
 * - `PST_ERR_REFUSED`: the server answered with a status that is no stream; see `status` and `body`
 * - `PST_ERR_NO_STREAM`: the answer has another content type; see `status`
 * - `PST_ERR_CUT`: the WebSocket closed; see `closeCode`
 * - `PST_ERR_SILENT`: nothing came for `heartbeatTimeout`
 * - `PST_ERR_BODY`: the body can't be sent a second time
 * - `PST_ERR_OVERFLOW`: events that nobody reads came over a WebSocket without ids, so that they can't be had later; or one that is larger than 64 Mi characters
 * - `PST_ERR_OPTION`: an option that can't be had here
 */
export type StreamErrorCode = 'PST_ERR_REFUSED' | 'PST_ERR_NO_STREAM' | 'PST_ERR_CUT' | 'PST_ERR_SILENT' | 'PST_ERR_BODY' | 'PST_ERR_OVERFLOW' | 'PST_ERR_OPTION'

export interface Failure {
  status?: number
  body?: string
  closeCode?: number
  retryAfter?: number
  isFinal?: boolean
  cause?: unknown
}

/** What ended a stream, or an attempt. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly code: StreamErrorCode
  /** Of the response. */
  readonly status: number | undefined
  /** Of the response, as text: the first 65,536 characters, and what came within 5 s. */
  readonly body: string | undefined
  /** What a WebSocket closed with; its reason is in the message. */
  readonly closeCode: number | undefined
  /** How long the server wants to be left alone, ms. */
  readonly retryAfter: number | undefined
  /** Whether asking again would be no use. */
  readonly isFinal: boolean

  constructor (code: StreamErrorCode, message: string, { status, body, closeCode, retryAfter, isFinal = false, cause }: Failure = {}) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.body = body
    this.closeCode = closeCode
    this.retryAfter = retryAfter
    this.isFinal = isFinal
  }
}

export function refused (option: string, rule: string): StreamError {
  return new StreamError('PST_ERR_OPTION', `pastelli/client: option "${option}" must be ${rule}`)
}
