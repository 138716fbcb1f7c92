/** Options of any kind: what is wrong is refused with its name, and with what is not refused an app serves a stream and closes. */
import { ok, strictEqual } from 'node:assert/strict'
import fastify from 'fastify'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import t from 'tap'
import pastelli, { memoryLog } from '../../index.ts'
import metrics from '../../metrics/prometheus.ts'
import phoenix from '../../phoenix/index.ts'
import inspector from '../../routes/inspector/index.ts'
import { cases, SEED } from './cases.ts'

type Given = Record<string, unknown>

const STREAM = ['heartbeat', 'heartbeatEvent', 'retry', 'maxAge', 'writeTimeout', 'highWaterMark', 'maxBuffered', 'maxConnections', 'maxConnectionsPerKey', 'key', 'overflow', 'formats', 'compression', 'errorData', 'terminator']
const PARTS: Record<string, readonly string[]> = {
  register: [...STREAM, 'drain', 'coalesce', 'log', 'canSubscribe', 'websocket'],
  route: [...STREAM, 'topics', 'websocket', 'resumable', 'abandonAfter'],
  phoenix: ['connect', 'channels', 'maxTopics', 'websocket', 'pollWindow', 'pollTimeout', 'heartbeat', 'maxConnections'],
  inspector: ['auth', 'insecure', 'interval'],
  metrics: ['registers']
}
const RIGHT: Record<string, Given> = { register: {}, route: { topics: 'a' }, phoenix: { channels: {} }, inspector: { insecure: true }, metrics: { registers: [new Registry()] } }
const UNKNOWN = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'Heartbeat', 'heart beat', '']
const CODES = ['PST_ERR_OPTION', 'PST_ERR_TOPIC', 'PST_ERR_INSECURE']

const values = fc.oneof(
  fc.constantFrom<unknown>(
    0, -0, 1, -1, 0.5, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 53, 1e308, Infinity, -Infinity, NaN, 1n, '', '1', 'x', 'a\n', '\ud83c', '/', true, false, null, Symbol('s'), [], [[]], [null], ['gzip'], ['ndjson'], ['ndjson', 'ndjson'],
    {}, Object.create(null), { toString: null }, new Proxy({}, {}), new Proxy([], {}), () => true, () => 'x', new Date(NaN), new Map(), /x/, new Proxy(() => '', {}), { maxPayload: 1 }, { maxPayload: Infinity }, { join: 1 }, memoryLog()),
  fc.jsonValue({ maxDepth: 1 }))

/** Own properties, whatever their names are. */
function objectOf (right: Given, pairs: ReadonlyArray<[string, unknown]>): Given {
  const object = { ...right }
  for (const [name, value] of pairs) Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  return object
}

/** The error that says no; null: it has served a stream and closed. */
async function attempt (part: string, given: Given): Promise<(Error & { code?: string }) | null> {
  const app = fastify()
  const own = (name: string) => name === part ? given : RIGHT[name] as Given
  try {
    await app.register(pastelli, { drain: 100, ...own('register') })
    // What a topic and a request say is not at stake.
    app.stream('/stream', own('route') as never, (() => {}) as never)
    if (part === 'phoenix') await app.register(phoenix, given as never)
    if (part === 'inspector') await app.register(inspector, given as never)
    if (part === 'metrics') await app.register(metrics, given as never)
    app.get('/finite', (_request, reply) => {
      reply.event('served')
      reply.closeChunk()
    })
    const { statusCode, body } = await app.inject('/finite')
    strictEqual(statusCode === 200 ? body.includes('served') : [500].includes(statusCode) && 'key' in own('register'), true, `${statusCode} ${body}`)
    return null
  } catch (error) {
    return error as Error & { code?: string }
  } finally {
    await app.close()
  }
}

for (const part of Object.keys(PARTS)) {
  await t.test(`options of ${part}: each is right or refused, by its name`, async (t) => {
    let refused = 0
    const pairs = fc.array(fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...PARTS[part] as string[]) }, { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) }), values), { minLength: 1, maxLength: 3 })
    await fc.assert(fc.asyncProperty(pairs, async (pairs) => {
      const error = await attempt(part, objectOf(RIGHT[part] as Given, pairs))
      // What is no option of a route is Fastify's, or another plugin's.
      const isUnknown = part !== 'route' && pairs.some(([name]) => UNKNOWN.includes(name))
      if (error === null) return strictEqual(isUnknown, false)
      refused++
      ok(CODES.includes(error.code ?? ''), `${error.stack}`)
      if (error.code === 'PST_ERR_OPTION') ok(/option "[^"]*" must be .+, got ./s.test(error.message), error.message)
    }), { numRuns: cases(80), seed: SEED, endOnFailure: true })
    t.ok(refused > cases(80) / 4, `${refused} were refused`)
  })
}

await t.test('what a getter of the options throws is thrown as it is', async (t) => {
  const failure = new Error('of the app')
  const error = await attempt('register', Object.defineProperty({}, 'heartbeat', { enumerable: true, get () { throw failure } }))
  t.equal(error, failure)
})
