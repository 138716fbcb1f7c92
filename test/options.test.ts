/** Every option: its default, both edges of its rule, and what is said of a wrong one. */
import t, { type Test } from 'tap'
import { parseOptions, parseStreamOptions } from '../lib/options.ts'
import { MemoryLog } from '../lib/topics/memory-log.ts'

const MAX_MS = 2 ** 31 - 1

const DEFAULTS = {
  heartbeat: 15_000,
  heartbeatEvent: null,
  retry: 0,
  maxAge: 0,
  writeTimeout: 60_000,
  highWaterMark: 65_536,
  maxBuffered: 1_048_576,
  maxConnections: Infinity,
  maxConnectionsPerKey: Infinity,
  overflow: 'disconnect',
  terminator: null,
  formats: ['event-stream', 'ndjson', 'text', 'json'],
  compression: [],
  drain: 10_000,
  coalesce: 0,
  log: null,
  canSubscribe: null,
  websocket: { maxPayload: 1_048_576, allowedOrigins: null }
}

const NO_NUMBERS = ['1', true, null, {}, [], () => 1, Symbol('s'), 1n, NaN]

interface Rule { right: unknown[], wrong: unknown[], says: string }

const time: Rule = {
  right: [0, 1, MAX_MS],
  wrong: [-1, 0.5, MAX_MS + 1, Infinity, -Infinity, ...NO_NUMBERS],
  says: `an integer of milliseconds from 0 (off) to ${MAX_MS}`
}
const size: Rule = {
  right: [1_048_576],
  wrong: [0, -1, 1.5, Infinity, 2 ** 53, ...NO_NUMBERS],
  says: 'a positive integer of bytes'
}
const count: Rule = {
  right: [1, Number.MAX_SAFE_INTEGER, Infinity],
  wrong: [0, -1, 1.5, -Infinity, 2 ** 53, ...NO_NUMBERS],
  says: 'a positive integer or Infinity'
}
const RULES: Record<string, Rule> = {
  heartbeat: time,
  heartbeatEvent: {
    right: [null, 'beat', ' ', 'grüezi 🎨'],
    wrong: ['', 'a\nb', 'a\rb', 'a\0b', '\ud83c', 0, false, {}, [], () => 'beat', Symbol('s')],
    says: 'null or a type of event, not empty and without CR, LF and NUL'
  },
  retry: time,
  maxAge: time,
  writeTimeout: time,
  highWaterMark: { ...size, right: [1, 1_048_576] },
  maxBuffered: { ...size, right: [65_536, Number.MAX_SAFE_INTEGER] },
  maxConnections: count,
  maxConnectionsPerKey: count,
  key: {
    right: [() => '', String],
    wrong: ['ip', 0, true, null, {}, [], Symbol('s')],
    says: 'a function from a request to a string'
  },
  formats: {
    right: [['ndjson'], ['json', 'text'], [{ type: 'application/json-seq', encode: String }, 'event-stream']],
    wrong: [[], 'ndjson', ['xml'], ['text', 'text'], [{ type: 'json', encode: String }], [{ type: 'a/b' }], [{ type: 'a/b; c', encode: String }], [null], null, {}, 0],
    says: 'a list of event-stream, ndjson, text, json, or { type, encode }, each once'
  },
  compression: {
    right: [[], ['gzip'], ['zstd', 'br', 'gzip']],
    wrong: ['gzip', ['deflate'], ['gzip', 'gzip'], [null], ['GZIP'], null, true, {}, 0, () => [], Symbol('s')],
    says: 'a list of gzip, br, zstd, each once'
  },
  errorData: {
    right: [() => null, String],
    wrong: ['message', 0, true, null, {}, [], Symbol('s')],
    says: 'a function from an error to what its client is told'
  },
  terminator: {
    right: [null, '[DONE]', ' ', 'grüezi 🎨', 'a\nb'],
    wrong: ['', '\ud83c', 0, false, {}, [], () => '[DONE]', Symbol('s')],
    says: 'null or some text'
  },
  overflow: {
    right: ['disconnect', 'skip'],
    wrong: ['', 'Skip', 0, true, null, {}, [], () => 'skip', Symbol('s')],
    says: '"disconnect" or "skip"'
  },
  drain: {
    right: [1, MAX_MS],
    wrong: [0, -1, 0.5, MAX_MS + 1, Infinity, ...NO_NUMBERS],
    says: `an integer of milliseconds from 1 to ${MAX_MS}`
  },
  coalesce: time,
  log: {
    right: [null, new MemoryLog()],
    wrong: ['memory', 0, true, {}, [], () => {}, Symbol('s'), { append () {}, read () {} }],
    says: 'null or a log, such as memoryLog()'
  },
  canSubscribe: {
    right: [null, () => true],
    wrong: ['all', 0, true, {}, [], Symbol('s')],
    says: 'null or a function from a request and a topic to a boolean'
  },
  websocket: {
    right: [false],
    wrong: [true, 'on', 0, null, [], () => {}, Symbol('s')],
    says: 'false or { maxPayload, allowedOrigins }'
  }
}
const REGISTER_ONLY = ['drain', 'coalesce', 'log', 'canSubscribe', 'websocket']
const ROUTE_RULES = Object.entries(RULES).filter(([option]) => !REGISTER_ONLY.includes(option))

/** That these are refused, and that the message begins with the option and its rule. */
function refused (t: Test, parse: () => unknown, option: string, says: string, name = option): void {
  let error: { code?: string, message: string } = { message: 'nothing was thrown' }
  try {
    parse()
  } catch (thrown) {
    error = thrown as Error & { code: string }
  }
  t.equal(error.code, 'PST_ERR_OPTION', name)
  t.ok(error.message.startsWith(`pastelli: option "${option}" must be ${says}`), error.message)
}

t.test('each option has its default', async (t) => {
  const { key, errorData, ...settings } = parseOptions({})
  t.strictSame(settings, DEFAULTS)
  t.strictSame(errorData(new Error('secret')), { message: 'Internal Server Error' }, 'an error keeps its secrets')
  t.equal((key as (request: { ip: string }) => string)({ ip: '192.0.2.1' }), '192.0.2.1', 'a client is told by its address')
})

t.test('each option of WebSockets is checked and completed', async (t) => {
  const { websocket } = parseOptions({})
  const right = [
    { maxPayload: 1 }, { maxPayload: undefined }, { allowedOrigins: null }, { allowedOrigins: '*' }, { allowedOrigins: [] },
    { allowedOrigins: ['https://example.com', 'http://localhost:8080', /\.example\.com$/] }, { allowedOrigins: () => true }
  ]
  for (const given of right) t.strictSame(parseOptions({ websocket: given }).websocket, { ...websocket, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) })
  for (const value of [0, -1, 0.5, Infinity, ...NO_NUMBERS]) refused(t, () => parseOptions({ websocket: { maxPayload: value } }), 'websocket.maxPayload', 'a positive integer of bytes', show(value))
  for (const value of ['example.com', 'https://example.com', ['example.com'], ['https://example.com/'], ['HTTPS://example.com'], [null], {}, true, 0]) {
    refused(t, () => parseOptions({ websocket: { allowedOrigins: value } }), 'websocket.allowedOrigins', 'null, "*", a list of origins', show(value))
  }
  refused(t, () => parseOptions({ websocket: { path: '/' } }), 'websocket.path', 'one of maxPayload, allowedOrigins')
})

t.test('an option that is undefined has its default', async (t) => {
  t.strictSame(parseOptions(Object.fromEntries(Object.keys(RULES).map((option) => [option, undefined]))), parseOptions({}))
})

for (const [option, { right, wrong, says }] of Object.entries(RULES)) {
  t.test(`${option} is ${says}`, async (t) => {
    for (const value of right) {
      t.strictSame(parseOptions({ [option]: value }), { ...parseOptions({}), [option]: value }, `${show(value)} is right, and changes nothing else`)
    }
    for (const value of wrong) refused(t, () => parseOptions({ [option]: value }), option, says, `${show(value)} is wrong`)
  })
}

for (const [option, { right, wrong, says }] of ROUTE_RULES) {
  t.test(`${option} of a route is ${says}, and goes over that of the instance`, async (t) => {
    const instance = parseOptions({})
    for (const value of right) t.strictSame(parseStreamOptions({ [option]: value }, instance), { ...instance, [option]: value }, show(value))
    for (const value of wrong) refused(t, () => parseStreamOptions({ [option]: value }, instance), option, says, `${show(value)} is wrong`)
  })
}

t.test('the message shows the wrong value', async (t) => {
  const shown: Array<[value: unknown, form: string]> = [
    [-1, '-1'], ['1\n', '"1\\n"'], [null, 'null'], [true, 'true'], [Symbol('s'), 'Symbol(s)'],
    [{}, 'an object'], [[], 'an array'], [() => {}, 'a function']
  ]
  for (const [value, form] of shown) {
    t.throws(() => parseOptions({ heartbeat: value }), { message: `pastelli: option "heartbeat" must be ${time.says}, got ${form}` })
  }
})

t.test('an unknown option is refused, and the known ones are named', async (t) => {
  for (const option of ['heartBeat', 'toString', '__proto__x', '']) {
    refused(t, () => parseOptions({ [option]: 1 }), option, `one of ${Object.keys(RULES).join(', ')}`)
  }
  refused(t, () => parseOptions({ heartBeat: undefined }), 'heartBeat', 'one of ')
})

t.test('what a route is given for Fastify is left alone', async (t) => {
  const instance = parseOptions({})
  t.strictSame(parseStreamOptions({ schema: {}, onRequest () {}, bodyLimit: -1 }, instance), instance)
})

t.test('drain is the server\'s: a route can\'t have its own', async (t) => {
  refused(t, () => parseStreamOptions({ drain: 5_000 }, parseOptions({})), 'drain', 'given at register')
  refused(t, () => parseStreamOptions({ drain: undefined }, parseOptions({})), 'drain', 'given at register')
})

t.test('a route has the settings of the instance where it has none of its own', async (t) => {
  const instance = parseOptions({ heartbeat: 1, drain: 2, maxBuffered: 2 ** 21 })
  t.strictSame(parseStreamOptions({}, instance), instance)
  t.strictSame(parseStreamOptions({ heartbeat: 0, retry: undefined }, instance), { ...instance, heartbeat: 0 })
})

// Room would be told of until there is an overflow: also a sender that waits for room would lose its connection.
t.test('highWaterMark is at most maxBuffered', async (t) => {
  t.doesNotThrow(() => parseOptions({ highWaterMark: 1_000, maxBuffered: 1_000 }))
  refused(t, () => parseOptions({ highWaterMark: 1_001, maxBuffered: 1_000 }), 'highWaterMark', 'at most maxBuffered')
  refused(t, () => parseOptions({ highWaterMark: 1_048_577 }), 'highWaterMark', 'at most maxBuffered', 'over the default')
  t.equal(parseOptions({ maxBuffered: 1_000 }).highWaterMark, 1_000, 'the default gives way')
  t.equal(parseStreamOptions({ maxBuffered: 1_000 }, parseOptions({ highWaterMark: 2_000 })).highWaterMark, 1_000, 'and so does the instance\'s')
  refused(t, () => parseStreamOptions({ highWaterMark: 1_048_577 }, parseOptions({})), 'highWaterMark', 'at most maxBuffered', 'of a route')
})

t.test('settings are frozen, and what they were made of is not', async (t) => {
  const options = { heartbeat: 1 }
  const settings = parseOptions(options)
  t.ok(Object.isFrozen(settings))
  t.ok(Object.isFrozen(parseStreamOptions({}, settings)))
  t.throws(() => { (settings as { heartbeat: number }).heartbeat = 2 }, TypeError)
  options.heartbeat = 2
  t.equal(settings.heartbeat, 1)
})

function show (value: unknown): string {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return typeof value === 'string' ? JSON.stringify(value) : typeof value === 'bigint' ? `${value}n` : String(value)
}
