/** Streams that end by themselves, asked for by programs that load servers: every answer is whole, and the registry has counted it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { locate, without } from '../support/programs.ts'
import { start, type ServerOptions } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const run = promisify(execFile)

const EVENTS = 5
const BODY_SIZE = `data: ${'x'.repeat(1_000)}\n\n`.length * EVENTS
const REQUESTS = 300

const setup = (app: FastifyInstance) => {
  app.stream('/', async function * () {
    for (let n = 0; n < EVENTS; n++) {
      await new Promise(setImmediate)
      yield 'x'.repeat(1_000)
    }
  })
}

const WAYS: Array<[what: string, server: ServerOptions, args: string[]]> = [
  ['HTTP/2', { http2: true }, ['-m', '20']],
  ['HTTP/2 with windows of 63 bytes', { http2: true }, ['-m', '20', '-w', '6']],
  ['HTTP/2 over TLS', { http2: true, tls: true }, ['-m', '20']],
  ['HTTP/1.1', {}, ['--h1']],
  ['HTTP/1.1, pipelined', {}, ['--h1', '-m', '8']],
  ['HTTP/1.1 over TLS that prefers HTTP/2', { http2: true, tls: true, allowHTTP1: true }, ['--h1']]
]

for (const [what, server, args] of WAYS) {
  await t.test(`h2load over ${what}`, { skip: without('h2load tested', ['h2load'], 'nghttp2-client') }, async (t) => {
    const { app, origin, noise } = await start(t, setup, server)
    const witness = new Witness(app)
    const { stdout } = await run(locate(['h2load']), ['-n', String(REQUESTS), '-c', '6', ...args, `${origin}/`], { timeout: 60_000 })
    t.match(stdout, `requests: ${REQUESTS} total, ${REQUESTS} started, ${REQUESTS} done, ${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`)
    t.match(stdout, `status codes: ${REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx`)
    const [, received] = /\((\d+)\) data/.exec(stdout) ?? []
    t.equal(Number(received), REQUESTS * BODY_SIZE, stdout)
    await until(() => witness.closed.length === REQUESTS)
    await witness.sees(t, 'server')
    t.same(noise(), [])
  })
}

for (const tls of [false, true]) {
  await t.test(`wrk over ${tls ? 'TLS' : 'TCP'}: it leaves those that are open when its time is up`, { skip: without('wrk tested', ['wrk'], 'wrk') }, async (t) => {
    const CLIENTS = 20
    const { app, origin, noise } = await start(t, setup, { tls })
    const witness = new Witness(app)
    const { stdout } = await run(locate(['wrk']), ['-t', '1', '-c', String(CLIENTS), '-d', '1', `${origin}/`], { timeout: 60_000 })
    t.notMatch(stdout, /Non-2xx|Socket errors/)
    const done = Number(/(\d+) requests in/.exec(stdout)?.[1])
    await until(() => app.connections.size === 0)
    const { reasons } = witness
    const left = reasons.filter((reason) => reason === 'client').length
    t.ok(done > 0 && left <= CLIENTS, `${done} were whole, ${left} were left`)
    t.equal(reasons.filter((reason) => reason === 'server').length, reasons.length - left)
    t.ok(reasons.length - left >= done)
    await witness.seesEach(t, reasons)
    t.same(noise(), [])
  })
}
