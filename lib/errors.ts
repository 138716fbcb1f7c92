/** Every error Pastelli throws: a stable code, one sentence, an HTTP status. */
import createError from '@fastify/error'

/** A wrong or unknown option at `register` or on a route. */
export const PST_ERR_OPTION = createError<[option: string, rule: string, value: string]>(
  'PST_ERR_OPTION', 'pastelli: option "%s" must be %s, got %s', 500, TypeError)

/** The plugin was registered twice in one context. */
export const PST_ERR_REGISTERED = createError(
  'PST_ERR_REGISTERED', 'pastelli is already registered here: register it once, in the outermost context that needs it', 500)

/** `event`, `id` or `retry` of an event is not what the event stream format can carry. */
export const PST_ERR_FIELD = createError<[field: string, rule: string, value: string]>(
  'PST_ERR_FIELD', 'The field "%s" of an event must be %s, got %s', 500, TypeError)

/** The data of an event can't be encoded: `undefined`, a function, a symbol, a BigInt, a cycle, half a surrogate pair. */
export const PST_ERR_DATA = createError<[why: string]>(
  'PST_ERR_DATA', 'The data of an event can\'t be encoded: %s', 500, TypeError)

/** `chunk` takes a string, a Buffer or a Uint8Array. */
export const PST_ERR_CHUNK = createError<[type: string]>(
  'PST_ERR_CHUNK', 'A chunk must be a string, a Buffer or a Uint8Array, got %s', 500, TypeError)

/** What was given to a verb is not what it takes. */
export const PST_ERR_ARGUMENT = createError<[verb: string, rule: string, type: string]>(
  'PST_ERR_ARGUMENT', '%s takes %s, got a value of the type %s', 500, TypeError)

/** The status of a stream must allow a body. */
export const PST_ERR_STATUS = createError<[status: string]>(
  'PST_ERR_STATUS', 'The status of a stream must be an integer from 200 to 599 that allows a body, got %s', 500, RangeError)

/** Not one of the close reasons. */
export const PST_ERR_REASON = createError<[known: string, reason: string]>(
  'PST_ERR_REASON', 'A close reason must be one of %s, got %s', 500, TypeError)

/** An event was sent on a response whose content type is another one. */
export const PST_ERR_CONTENT_TYPE = createError(
  'PST_ERR_CONTENT_TYPE', 'Events and comments need a response of the content type text/event-stream', 500)

/** The head is out: its status and what follows right behind it can't change any more. */
export const PST_ERR_HEAD_SENT = createError<[verb: string]>(
  'PST_ERR_HEAD_SENT', '%s came after the head of the response was sent', 500)

/** The response was answered by other means, so it can't become a stream. */
export const PST_ERR_ANSWERED = createError<[verb: string]>(
  'PST_ERR_ANSWERED', '%s came after the response was answered by other means', 500)

/** All places are taken: the server's or the route's. */
export const PST_ERR_MAX_CONNECTIONS = createError(
  'PST_ERR_MAX_CONNECTIONS', 'Too many open streams', 503)

/** All places of this client (its IP address, or what `key` says) are taken. */
export const PST_ERR_MAX_CONNECTIONS_PER_KEY = createError(
  'PST_ERR_MAX_CONNECTIONS_PER_KEY', 'Too many open streams for this client', 429)
