/** An app with Pastelli on a free port, which keeps its log and goes away with the test. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import pastelli, { type PastelliOptions } from '../../index.ts'
import { until } from './until.ts'

export interface LogLine {
  level: number
  msg: string
  reqId?: string
  err?: { type: string, message: string, code?: string }
  [field: string]: unknown
}

export interface ServerOptions extends Omit<FastifyServerOptions, 'logger' | 'loggerInstance'> {
  http2?: boolean
  /** Serve TLS with the certificate in fixtures/. */
  tls?: boolean
  /** With `tls` and `http2`. */
  allowHTTP1?: boolean
  http2SessionTimeout?: number
  /** Pastelli's own. */
  pastelli?: PastelliOptions
  /** What is registered ahead of Pastelli. */
  before?: (app: FastifyInstance) => unknown
}

export interface Server {
  app: FastifyInstance
  port: number
  /** `http://127.0.0.1:1234` or its https twin. */
  origin: string
  /** Everything logged so far, from trace up. */
  log: LogLine[]
  /** The lines of the log with this message. */
  lines: (msg: string) => LogLine[]
  /** The lines above info. */
  noise: () => LogLine[]
  /** Resolves with the first line with this message, as soon as there is one. */
  logged: (msg: string) => Promise<LogLine>
}

/** A self-signed certificate for localhost and 127.0.0.1; its last day is in 2126. */
export const CERTIFICATE = { key: fixture('key.pem'), cert: fixture('cert.pem') }

/** An app that has Pastelli and has not started to listen; for `inject()`. */
export async function build (t: Test, setup: (app: FastifyInstance) => unknown, options: ServerOptions = {}): Promise<Omit<Server, 'port' | 'origin'>> {
  const { pastelli: ownOptions, before, tls, allowHTTP1, ...rest } = options
  const log: LogLine[] = []
  const stream = { write: (line: string) => { log.push(JSON.parse(line)) } }
  const https = tls === true ? { https: { ...CERTIFICATE, allowHTTP1 } } : {}
  const app = fastify({ ...rest, ...https, logger: { level: 'trace', stream } } as FastifyServerOptions)
  t.teardown(() => app.close())
  await before?.(app)
  await app.register(pastelli, { drain: 2_000, ...ownOptions })
  await setup(app)
  const lines = (msg: string) => log.filter((line) => line.msg === msg)
  const noise = () => log.filter(({ level }) => level > 30)
  const logged = (msg: string) => until(() => lines(msg)[0], `"${msg}" is logged`)
  return { app, log, lines, noise, logged }
}

/** The same, listening on 127.0.0.1, on a free port unless one is given. */
export async function start (t: Test, setup: (app: FastifyInstance) => unknown, options: ServerOptions = {}, wanted = 0): Promise<Server> {
  const built = await build(t, setup, options)
  await built.app.listen({ host: '127.0.0.1', port: wanted })
  const { port } = built.app.server.address() as AddressInfo
  return { ...built, port, origin: `${options.tls === true ? 'https' : 'http'}://127.0.0.1:${port}` }
}

// The compiled tests run in dist/test/support, the fixtures stay in test/support.
function fixture (name: string): string {
  return readFileSync(new URL(`../../../test/support/fixtures/${name}`, import.meta.url), 'utf8')
}
