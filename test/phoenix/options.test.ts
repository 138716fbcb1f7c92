/** What `app.register(phoenix, options)` refuses, what it hands on, and where it serves. */
import swagger from '@fastify/swagger'
import fastify from 'fastify'
import t from 'tap'
import pastelli from '../../index.ts'
import phoenix, { type Channel, type PhoenixOptions } from '../../phoenix/index.ts'
import { Router } from '../../phoenix/router.ts'
import { answered, connectClient } from '../support/phoenix.ts'
import { start } from '../support/server.ts'

const channel: Channel = { join: (topic) => ({ ok: { topic } }) }

t.test('wrong options are refused, with what is wrong', async (t) => {
  const wrong: Array<[options: object, option: string]> = [
    [{ channels: undefined }, 'channels'], [{ channels: null }, 'channels'], [{ channels: 'rooms' }, 'channels'],
    [{ channels: { 'a*b': channel } }, 'channels'], [{ channels: { '': channel } }, 'channels'], [{ channels: { '**': channel } }, 'channels'],
    [{ channels: { a: null } }, 'channels.a'], [{ channels: { a: {} } }, 'channels.a'], [{ channels: { a: { join: 1 } } }, 'channels.a'],
    [{ path: 'socket' }, 'path'], [{ path: '/' }, 'path'], [{ path: 1 }, 'path'],
    [{ connect: true }, 'connect'],
    [{ maxTopics: 0 }, 'maxTopics'], [{ maxTopics: 1.5 }, 'maxTopics'],
    [{ pollWindow: 0 }, 'pollWindow'], [{ pollTimeout: '1s' }, 'pollTimeout'],
    [{ websocket: true }, 'websocket'], [{ websocket: { maxPayload: -1 } }, 'websocket.maxPayload'],
    [{ heartbeat: -1 }, 'heartbeat'], [{ formats: ['text'] }, 'formats'], [{ heartbeatEvent: 'beat' }, 'heartbeatEvent'], [{ overflow: 'skip' }, 'overflow'],
    [{ drain: 1 }, 'drain'], [{ unknown: 1 }, 'unknown']
  ]
  for (const [options, option] of wrong) {
    const app = fastify()
    await app.register(pastelli)
    const given = Object.hasOwn(options, 'channels') ? options : { channels: { a: channel }, ...options }
    await t.rejects(async () => { await app.register(phoenix, given as PhoenixOptions) }, { code: 'PST_ERR_OPTION', message: `option "${option}"` }, JSON.stringify(options))
    await app.close()
  }
})

t.test('it needs pastelli', async (t) => {
  const app = fastify()
  await t.rejects(async () => { await app.register(phoenix, { channels: { a: channel } }) }, /pastelli/)
})

t.test('it serves under its path and prefix, as often as it is registered, with the app\'s own parsers beside it', async (t) => {
  const server = await start(t, async (app) => {
    await app.register(phoenix, { channels: { a: channel }, path: '/live', prefix: '/v1' } as PhoenixOptions)
    await app.register(phoenix, { channels: { b: channel }, heartbeat: 1_000, maxTopics: Infinity, websocket: { maxPayload: 100 } })
    app.post('/json', async ({ body }) => body)
  })
  const first = connectClient(t, server, 'WebSocket', {})
  t.same(await answered(first.channel('b').join()), { status: 'ok', response: { topic: 'b' } })
  const other = first.channel('a')
  t.same(await answered(other.join()), { status: 'error', response: { reason: 'unmatched topic' } })
  other.leave()
  const { status } = await (await fetch(`${server.origin}/v1/live/longpoll?vsn=2.0.0`)).json() as { status: number }
  t.equal(status, 410)
  t.same(await (await fetch(`${server.origin}/json`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' })).json(), { a: 1 })
})

t.test('it is no part of what OpenAPI describes', async (t) => {
  const { app } = await start(t, async (app) => { await app.register(phoenix, { channels: { a: channel } }) }, { before: async (app) => { await app.register(swagger) } })
  t.same(app.swagger().paths, {})
})

t.test('a topic goes to the channel of its name, else to the one that knows most of it', async (t) => {
  const [all, rooms, lobby, one] = [{ ...channel }, { ...channel }, { ...channel }, { ...channel }]
  const router = new Router({ '*': all, 'rooms:*': rooms, 'rooms:lobby:*': lobby, 'rooms:1': one })
  for (const [topic, expected] of [['rooms:1', one], ['rooms:12', rooms], ['rooms:', rooms], ['rooms', all], ['rooms:lobby:x', lobby], ['', all], ['__proto__', all]] as const) {
    t.equal(router.find(topic), expected, topic)
  }
  t.equal(new Router({ a: one }).find('constructor'), null)
})
