/** What `register` takes, as an app sees it that imports the built package by its name. */
import fastify, { type FastifyRequest } from 'fastify'
import { pino } from 'pino'
import pastelli, { pastelli as named, type PastelliOptions } from 'pastelli'
import { describe, expect, test } from 'tstyche'

const app = fastify()

describe('the plugin', () => {
  test('has two names', () => {
    expect(named).type.toBe<typeof pastelli>()
  })

  test('is registered without a cast, with and without options', () => {
    app.register(pastelli)
    app.register(pastelli, {})
    app.register(pastelli, { heartbeat: 1_000, heartbeatEvent: 'beat', retry: 0, maxAge: 60_000, writeTimeout: 0, drain: 5_000 })
    app.register(pastelli, { highWaterMark: 1, maxBuffered: 2, maxConnections: Infinity, maxConnectionsPerKey: 3 })
    app.register(pastelli, () => ({ heartbeat: 1_000 }))
  })

  test('takes options that were put together elsewhere, in plain JavaScript too', () => {
    const options = { heartbeat: Number(process.env.HEARTBEAT), heartbeatEvent: null }
    app.register(pastelli, options)
    app.register(pastelli, { heartbeat: undefined, key: undefined })
    const typed: PastelliOptions = { drain: 1 }
    app.register(pastelli, typed)
  })

  test('is registered on servers of every kind', () => {
    fastify({ http2: true }).register(pastelli, { heartbeat: 1 })
    fastify({ https: {} }).register(pastelli, { heartbeat: 1 })
    fastify({ http2: true, https: {} }).register(pastelli, { heartbeat: 1 })
    fastify({ loggerInstance: pino() }).register(pastelli, { heartbeat: 1 })
  })
})

describe('the options', () => {
  test('have their types', () => {
    expect<PastelliOptions['heartbeat']>().type.toBe<number | undefined>()
    expect<PastelliOptions['heartbeatEvent']>().type.toBe<string | null | undefined>()
    expect<PastelliOptions['retry']>().type.toBe<number | undefined>()
    expect<PastelliOptions['maxAge']>().type.toBe<number | undefined>()
    expect<PastelliOptions['writeTimeout']>().type.toBe<number | undefined>()
    expect<PastelliOptions['highWaterMark']>().type.toBe<number | undefined>()
    expect<PastelliOptions['maxBuffered']>().type.toBe<number | undefined>()
    expect<PastelliOptions['maxConnections']>().type.toBe<number | undefined>()
    expect<PastelliOptions['maxConnectionsPerKey']>().type.toBe<number | undefined>()
    expect<PastelliOptions['key']>().type.toBe<((request: FastifyRequest) => string) | undefined>()
    expect<PastelliOptions['drain']>().type.toBe<number | undefined>()
  })

  test('key is given a request', () => {
    app.register(pastelli, {
      key: (request) => {
        expect(request).type.toBe<FastifyRequest>()
        return request.ip
      }
    })
  })

  test('of a wrong type are refused', () => {
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { heartbeat: '1s' })
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { heartbeatEvent: true })
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { maxConnections: null })
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { key: (request) => request.socket })
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { key: 'ip' })
  })

  test('that do not exist are refused', () => {
    // @ts-expect-error No overload matches this call
    app.register(pastelli, { heartBeat: 1_000 })
  })
})
