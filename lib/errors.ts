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

/** The data of an event can't be encoded: `undefined`, a function, a promise, a symbol, a BigInt, a cycle, half a surrogate pair. */
export const PST_ERR_DATA = createError<[why: string]>(
  'PST_ERR_DATA', 'The data of an event can\'t be encoded: %s', 500, TypeError)

/** `chunk` takes a string, a Buffer or a Uint8Array. */
export const PST_ERR_CHUNK = createError<[type: string]>(
  'PST_ERR_CHUNK', 'A chunk must be a string, a Buffer or a Uint8Array, got %s', 500, TypeError)

/** The name of a topic. */
export const PST_ERR_TOPIC = createError<[topic: string]>(
  'PST_ERR_TOPIC', 'A topic must be a text of 1 to 256 characters without control characters, got %s', 500, TypeError)

/** `after` of a later subscription: a connection is at one place in the log. */
export const PST_ERR_POSITION = createError<[own: string, given: string]>(
  'PST_ERR_POSITION', 'A topic that is subscribed later starts where the connection is, %s, and can\'t start after %s', 500, RangeError)

/** `canSubscribe` said no. */
export const PST_ERR_FORBIDDEN = createError<[topic: string]>(
  'PST_ERR_FORBIDDEN', 'Not allowed to subscribe to "%s"', 403)

/** The ids of a stream that is subscribed are positions in the log. */
export const PST_ERR_ID = createError(
  'PST_ERR_ID', 'An event sent to a connection that is subscribed to topics can\'t have an id of its own: ids there are positions', 500)

/** The engine that keeps the log can't be reached, or refuses. What was appended may be there all the same: a `key` makes the next try harmless. */
export const PST_ERR_LOG = createError<[why: string]>(
  'PST_ERR_LOG', 'The log is not available: %s', 503)

/** What a connection is to be present with. */
export const PST_ERR_PRESENCE = createError<[most: string, size: string]>(
  'PST_ERR_PRESENCE', 'What a connection is present with must have at most %s bytes as JSON, got %s', 500, RangeError)

/** Not all nodes have answered whether a connection has taken an event. It may have. */
export const PST_ERR_SEND = createError<[why: string]>(
  'PST_ERR_SEND', 'It is not known who has taken the event: %s', 503)

/** What was given to a verb is not what it takes. */
export const PST_ERR_ARGUMENT = createError<[verb: string, rule: string, type: string]>(
  'PST_ERR_ARGUMENT', '%s takes %s, got a value of the type %s', 500, TypeError)

/** The status of a stream must allow a body. */
export const PST_ERR_STATUS = createError<[status: string]>(
  'PST_ERR_STATUS', 'The status of a stream must be an integer from 200 to 599 that allows a body, got %s', 500, RangeError)

/** `connection.info` where nobody takes it. */
export const PST_ERR_INFO = createError(
  'PST_ERR_INFO', 'This connection takes no info: only a WebSocket does, of a route whose handler has one', 500)

/** A WebSocket's handler answered something that is neither nothing nor `{ reply, close }`. */
export const PST_ERR_ANSWER = createError<[part: string, rule: string]>(
  'PST_ERR_ANSWER', 'What the "%s" of a WebSocket answers must be %s', 500, TypeError)

/** The app has no WebSockets. */
export const PST_ERR_NO_WEBSOCKETS = createError(
  'PST_ERR_NO_WEBSOCKETS', 'There are no WebSockets here: pastelli was registered with `websocket: false`, or something else answers the upgrades of this server; register @fastify/websocket before pastelli', 500)

/** An upgrade on a stream route that has no WebSocket. */
export const PST_ERR_NOT_UPGRADABLE = createError(
  'PST_ERR_NOT_UPGRADABLE', 'This stream can\'t be had over a WebSocket', 400)

/** A plain request on a route that is a WebSocket and nothing else. */
export const PST_ERR_UPGRADE_REQUIRED = createError(
  'PST_ERR_UPGRADE_REQUIRED', 'This is to be had over a WebSocket only', 426)

/** A page of another origin asked for a WebSocket. */
export const PST_ERR_ORIGIN = createError(
  'PST_ERR_ORIGIN', 'Pages of this origin may not open a WebSocket here', 403)

/** Not one of the close reasons. */
export const PST_ERR_REASON = createError<[known: string, reason: string]>(
  'PST_ERR_REASON', 'A close reason must be one of %s, got %s', 500, TypeError)

/** An event was sent on a response whose content type is another one. */
export const PST_ERR_CONTENT_TYPE = createError<[types: string]>(
  'PST_ERR_CONTENT_TYPE', 'Events and comments need a response of the content type %s', 500)

/** The client accepts none of the formats that there are. */
export const PST_ERR_NOT_ACCEPTABLE = createError<[types: string]>(
  'PST_ERR_NOT_ACCEPTABLE', 'This stream is to be had as %s', 406)

/** The head is out: its status and what follows right behind it can't change any more. */
export const PST_ERR_HEAD_SENT = createError<[verb: string]>(
  'PST_ERR_HEAD_SENT', '%s came after the head of the response was sent', 500)

/** The response was answered by other means, so it can't become a stream. */
export const PST_ERR_ANSWERED = createError<[verb: string]>(
  'PST_ERR_ANSWERED', '%s came after the response was answered by other means', 500)

/** An event of a type that the route's schema does not have. */
export const PST_ERR_EVENT = createError<[event: string, known: string]>(
  'PST_ERR_EVENT', 'The schema of this route has no event %s, only %s', 500, TypeError)

/** What a client wanted at once, as JSON, is more than may be collected for it. */
export const PST_ERR_TOO_LARGE = createError<[limit: string]>(
  'PST_ERR_TOO_LARGE', 'This is more than the %s bytes that are sent at once: ask for a stream', 406)

/** A resumable stream was stopped before its source had ended. */
export const PST_ERR_ABANDONED = createError<[why: string]>(
  'PST_ERR_ABANDONED', 'The stream was stopped before its end: %s', 500)

/** The inspector was registered without saying who may use it. */
export const PST_ERR_INSECURE = createError(
  'PST_ERR_INSECURE', 'The inspector shows every connection and can close them: give it hooks as `auth`, or `insecure: true` where nobody else can reach it', 500)

/** A page of another origin asked the inspector for something. */
export const PST_ERR_CROSS_ORIGIN = createError(
  'PST_ERR_CROSS_ORIGIN', 'Only the inspector\'s own page may ask for this', 403)

/** What the inspector was asked for is not what it has. */
export const PST_ERR_QUERY = createError<[name: string, rule: string, value: string]>(
  'PST_ERR_QUERY', '"%s" must be %s, got %s', 400, TypeError)

/** The connection that the inspector was asked about has ended, or never was. */
export const PST_ERR_NO_CONNECTION = createError<[id: string]>(
  'PST_ERR_NO_CONNECTION', 'There is no open connection with the id %s', 404)

/** A client of Phoenix channels sent what is no message of theirs. */
export const PST_ERR_MESSAGE = createError<[why: string]>(
  'PST_ERR_MESSAGE', 'This is no message of Phoenix channels: %s', 400)

/** A client of Phoenix channels asks for another version of their protocol. */
export const PST_ERR_VERSION = createError<[version: string]>(
  'PST_ERR_VERSION', 'Only version 2.0.0 of the protocol of Phoenix channels is spoken here, not %s', 400)

/** `connect` said no. */
export const PST_ERR_REFUSED = createError(
  'PST_ERR_REFUSED', 'This client may not connect', 403)

/** A channel sent something to a client that it had not let in yet. */
export const PST_ERR_NOT_JOINED = createError<[verb: string]>(
  'PST_ERR_NOT_JOINED', '%s came before the client had joined: give it to socket.info, and do it in handleInfo', 500)

/** All places are taken: the server's or the route's. */
export const PST_ERR_MAX_CONNECTIONS = createError(
  'PST_ERR_MAX_CONNECTIONS', 'Too many open streams', 503)

/** All places of this client (its IP address, or what `key` says) are taken. */
export const PST_ERR_MAX_CONNECTIONS_PER_KEY = createError(
  'PST_ERR_MAX_CONNECTIONS_PER_KEY', 'Too many open streams for this client', 429)
