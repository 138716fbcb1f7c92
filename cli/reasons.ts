/** Why it went wrong, in words for who sits at the terminal. */
import { STATUS_CODES } from 'node:http'
import { StreamError } from '../client/index.ts'

/** What stands for a code where a server has ended a stream properly. */
export const ENDED = 'ENDED'

/** And where it was waited for an answer in vain. */
export const NO_ANSWER = 'NO_ANSWER'

const WORDS: Record<string, string> = {
  [ENDED]: 'the server has ended the stream',
  [NO_ANSWER]: 'no answer in time',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host can\'t be looked up now',
  ETIMEDOUT: 'nobody answers',
  EHOSTUNREACH: 'no way to the host',
  ENETUNREACH: 'no way to the network',
  EMFILE: 'out of file descriptors (ulimit -n)',
  EADDRNOTAVAIL: 'out of local ports',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'nobody answers',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed (NODE_EXTRA_CA_CERTS=file.pem trusts it)',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is self-signed (NODE_EXTRA_CA_CERTS=file.pem trusts it)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate can\'t be verified (NODE_EXTRA_CA_CERTS=file.pem trusts it)'
}

// How much of the body of a refusal is shown.
const SHOWN = 500

export function why (error: unknown): string {
  if (error instanceof StreamError) return whyStream(error)
  const { code, message } = deepest(error)
  return WORDS[code ?? ''] ?? message
}

/** @param code of an error, or a status */
export function inWords (code: string): string {
  if (code.startsWith('HPE_')) return 'it is no answer of HTTP'
  return WORDS[code] ?? (/^\d{3}$/.test(code) ? statusLine(Number(code)) : code)
}

/** The status and what it means. */
export function statusLine (status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`.trim()
}

function whyStream ({ code, status, body, message, closeCode }: StreamError): string {
  if (code === 'PST_ERR_SILENT') return 'nothing has come for too long'
  if (code === 'PST_ERR_CUT') return closeCode === 1006 ? 'no WebSocket there, or it was cut' : message.charAt(0).toLowerCase() + message.slice(1)
  if (code !== 'PST_ERR_REFUSED') return message
  const told = body?.trim().slice(0, SHOWN) ?? ''
  return `refused with ${statusLine(status as number)}${told === '' ? '' : `: ${told}`}`
}

// `fetch failed` has the cause; that may have several, one for each address of the host.
function deepest (error: unknown): NodeJS.ErrnoException {
  if (!(error instanceof Error)) return new Error(String(error))
  if (error instanceof AggregateError && error.errors.length > 0) return deepest(error.errors[0])
  return error.cause === undefined ? error : deepest(error.cause)
}
