/** The protocol by hand: what no client of Phoenix's would send, and what becomes of those who vanish. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import t, { type Test } from 'tap'
import { memoryLog } from '../../index.ts'
import { broadcast, type Channel, type ChannelSocket, type EndReason, type PhoenixOptions } from '../../phoenix/index.ts'
import { startChannels } from '../support/phoenix.ts'
import { RemoteLog } from '../support/remote-log.ts'
import type { Server, ServerOptions } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

type Message = [joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown]

class Client {
  readonly ws: WebSocket
  readonly messages: Array<Message | Buffer> = []
  code = 0

  constructor (t: Test, { port }: Pick<Server, 'port'>, query = 'vsn=2.0.0') {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?${query}`)
    t.teardown(() => { this.ws.terminate() })
    this.ws.on('error', () => {})
    this.ws.on('message', (data: Buffer, isBinary) => { this.messages.push(isBinary ? data : JSON.parse(String(data)) as Message) })
    this.ws.on('close', (code) => { this.code = code })
  }

  async open (): Promise<this> {
    await once(this.ws, 'open')
    return this
  }

  send (...messages: Array<unknown[] | string | Buffer>): this {
    for (const message of messages) this.ws.send(Array.isArray(message) ? JSON.stringify(message) : message)
    return this
  }

  /** Resolves with what came, once that are so many; they are taken. */
  async take (count: number): Promise<Array<Message | Buffer>> {
    await until(() => this.messages.length >= count, `${count} messages came; they were ${JSON.stringify(this.messages)}`)
    return this.messages.splice(0)
  }

  async closed (): Promise<number> {
    return await until(() => this.code, 'the WebSocket closes')
  }
}

/** What holds a callback up until the test lets it go on. */
function gate (): { pass: () => void, passed: Promise<void> } {
  let pass = () => {}
  const passed = new Promise<void>((resolve) => { pass = resolve })
  return { pass, passed }
}

const LOBBY: Channel = { join: () => ({ ok: {} }), handleIn: (_event, payload) => ({ reply: { ok: payload } }) }

async function place (t: Test, options: Partial<PhoenixOptions> = {}, server: ServerOptions = {}): Promise<Server & { witness: Witness, client: () => Promise<Client> }> {
  const started = await startChannels(t, { channels: { lobby: LOBBY }, ...options }, server)
  return { ...started, witness: new Witness(started.app), client: () => new Client(t, started).open() }
}

function reply (joinRef: string | null, ref: string | null, topic: string, status: 'ok' | 'error', response: unknown): Message {
  return [joinRef, ref, topic, 'phx_reply', { status, response }]
}

t.test('heartbeats, joins, pushes and leaves are answered as Phoenix answers them', async (t) => {
  const client = await (await place(t)).client()
  client.send(
    [null, '1', 'phoenix', 'heartbeat', {}],
    ['2', '2', 'lobby', 'phx_join', {}],
    ['2', '3', 'lobby', 'any', { n: 1 }],
    ['2', '4', 'lobby', 'phx_leave', {}],
    ['2', '5', 'lobby', 'phx_leave', {}],
    ['2', '6', 'lobby', 'any', {}],
    [null, '7', 'phoenix', 'any', {}],
    ['8', '8', 'phoenix', 'phx_join', {}]
  )
  t.same(await client.take(9), [
    reply(null, '1', 'phoenix', 'ok', {}),
    reply('2', '2', 'lobby', 'ok', {}),
    reply('2', '3', 'lobby', 'ok', { n: 1 }),
    reply('2', '4', 'lobby', 'ok', {}),
    ['2', '2', 'lobby', 'phx_close', {}],
    reply('2', '5', 'lobby', 'ok', {}),
    reply('2', '6', 'lobby', 'error', { reason: 'unmatched topic' }),
    reply(null, '7', 'phoenix', 'error', { reason: 'unmatched topic' }),
    reply('8', '8', 'phoenix', 'error', { reason: 'unmatched topic' })
  ])
})

t.test('a leave comes behind what was pushed before it', async (t) => {
  const client = await (await place(t)).client()
  await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
  client.send(['1', '2', 'lobby', 'any', 2], ['1', '3', 'lobby', 'phx_leave', {}])
  t.same(await client.take(3), [reply('1', '2', 'lobby', 'ok', 2), reply('1', '3', 'lobby', 'ok', {}), ['1', '1', 'lobby', 'phx_close', {}]])
})

t.test('a second join of a topic ends the first, whose pushes are its own', async (t) => {
  const ends: EndReason[] = []
  const { client: connect } = await place(t, { channels: { lobby: { ...LOBBY, terminate (reason) { ends.push(reason) } } } })
  const client = await connect()
  await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
  t.same(await client.send(['2', '2', 'lobby', 'phx_join', {}]).take(2), [['1', '1', 'lobby', 'phx_close', {}], reply('2', '2', 'lobby', 'ok', {})])
  client.send(['1', '3', 'lobby', 'any', 'old'], ['2', '4', 'lobby', 'any', 'new'], [null, '5', 'lobby', 'any', 'any'])
  t.same(await client.take(3), [
    reply('1', '3', 'lobby', 'error', { reason: 'unmatched topic' }),
    reply('2', '4', 'lobby', 'ok', 'new'),
    reply('2', '5', 'lobby', 'ok', 'any')
  ])
  client.send(['1', '6', 'lobby', 'phx_leave', {}], ['2', '7', 'lobby', 'any', 'still'])
  t.same(await client.take(2), [reply('1', '6', 'lobby', 'ok', {}), reply('2', '7', 'lobby', 'ok', 'still')])
  t.same(ends, ['rejoined'])
})

t.test('a second join waits until the first is over', async (t) => {
  const steps: string[] = []
  const [handling, terminating] = [gate(), gate()]
  const { client: connect } = await place(t, {
    channels: {
      lobby: {
        join: () => {
          steps.push('join')
          return { ok: {} }
        },
        async handleIn () {
          await handling.passed
          steps.push('handled')
          return { reply: { ok: 'nobody hears this' } }
        },
        async terminate () {
          await terminating.passed
          steps.push('over')
        }
      }
    }
  })
  const client = await connect()
  await client.send(['1', '1', 'lobby', 'phx_join', {}], ['1', '2', 'lobby', 'any', {}]).take(1)
  t.same(await client.send(['3', '3', 'lobby', 'phx_join', {}], [null, '4', 'phoenix', 'heartbeat', {}]).take(2), [['1', '1', 'lobby', 'phx_close', {}], reply(null, '4', 'phoenix', 'ok', {})])
  handling.pass()
  terminating.pass()
  t.same(await client.take(1), [reply('3', '3', 'lobby', 'ok', {})])
  t.same(steps, ['join', 'handled', 'over', 'join'])
})

t.test('what is no message closes the WebSocket, and is no error of the server\'s', async (t) => {
  const { client: connect, witness, noise, lines, app } = await place(t)
  const wrong = ['', 'null', '[', '["1","1","lobby","phx_join"]', '{"topic":"lobby"}', '[1,"1","lobby","phx_join",{}]', Buffer.of(), Buffer.of(7, 0, 0, 0, 0), `["1","${'9'.repeat(300)}","lobby","phx_join",{}]`]
  for (const message of wrong) {
    const client = await connect()
    await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
    t.equal(await client.send(message, ['1', '2', 'lobby', 'any', {}]).closed(), 1011)
    t.same(client.messages, [])
  }
  await witness.sees(t, 'error')
  t.equal(lines('a client sent what is no message of Phoenix').length, wrong.length)
  t.same(noise(), [])
  t.equal(app.topics.subscribers('phoenix:lobby'), 0)
})

t.test('names of prototypes, long names and odd ones are topics that there are not, or topics like all others', async (t) => {
  const { client: connect } = await place(t, { channels: { 'any:*': LOBBY } })
  const client = await connect()
  for (const topic of ['__proto__', 'constructor', '', 'any', 'lobby:*']) {
    t.same(await client.send(['1', '1', topic, 'phx_join', {}]).take(1), [reply('1', '1', topic, 'error', { reason: 'unmatched topic' })])
  }
  for (const topic of ['any:\n', 'any:\ud800', `any:${'x'.repeat(245)}`]) {
    t.same(await client.send(['1', '1', topic, 'phx_join', {}]).take(1), [reply('1', '1', topic, 'error', { reason: 'unmatched topic' })])
  }
  for (const topic of ['any:__proto__', 'any:', `any:${'x'.repeat(244)}`]) {
    t.same(await client.send(['1', '1', topic, 'phx_join', {}], ['1', '2', topic, '__proto__', { a: 1 }]).take(2), [reply('1', '1', topic, 'ok', {}), reply('1', '2', topic, 'ok', { a: 1 })])
  }
})

t.test('one client joins so many topics and no more', async (t) => {
  const { client: connect } = await place(t, { maxTopics: 2, channels: { '*': LOBBY } })
  const client = await connect()
  const joins = ['a', 'b', 'c'].map((topic) => ['1', '1', topic, 'phx_join', {}])
  t.same((await client.send(...joins).take(3)).map((message) => message[4]), [{ status: 'ok', response: {} }, { status: 'ok', response: {} }, { status: 'error', response: { reason: 'too many topics' } }])
  await client.send(['1', '2', 'a', 'phx_leave', {}]).take(2)
  t.same(await client.send(['3', '3', 'c', 'phx_join', {}]).take(1), [reply('3', '3', 'c', 'ok', {})])
  t.match(await client.send(['4', '4', 'c', 'phx_join', {}]).take(2), [['3', '3', 'c', 'phx_close'], reply('4', '4', 'c', 'ok', {})])
})

t.test('a client that joins and leaves faster than the channel answers is let in no more', async (t) => {
  const { pass, passed } = gate()
  let joins = 0
  const { client: connect } = await place(t, {
    maxTopics: 2,
    channels: {
      slow: {
        async join () {
          joins++
          await passed
          return { ok: {} }
        }
      }
    }
  })
  const client = await connect()
  for (let i = 1; i <= 4; i++) await client.send([`${i}`, `${i}`, 'slow', 'phx_join', {}], [`${i}`, 'leave', 'slow', 'phx_leave', {}]).take(2)
  t.same(await client.send(['5', '5', 'slow', 'phx_join', {}]).take(1), [reply('5', '5', 'slow', 'error', { reason: 'too many topics' })])
  t.equal(joins, 1, 'and one join runs at a time')
  pass()
  await until(() => {
    client.send(['6', '6', 'slow', 'phx_join', {}])
    return client.messages.some((message) => message[1] === '6' && (message[4] as { status?: string }).status === 'ok')
  })
  t.equal(joins > 1, true)
})

t.test('a push without a ref is not answered, and one to a channel that takes none is', async (t) => {
  const { client: connect } = await place(t, { channels: { lobby: LOBBY, deaf: { join: () => ({ ok: undefined }) } } })
  const client = await connect()
  await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
  t.same(await client.send(['1', null, 'lobby', 'any', {}], ['1', '2', 'lobby', 'any', {}]).take(1), [reply('1', '2', 'lobby', 'ok', {})])
  t.same(await client.send(['3', '3', 'deaf', 'phx_join', {}]).take(1), [reply('3', '3', 'deaf', 'ok', {})])
  t.same(await client.send(['3', '4', 'deaf', 'any', {}]).take(1), [reply('3', '4', 'deaf', 'error', { reason: 'unmatched event' })])
})

t.test('answers that are none are failures of the channel', async (t) => {
  const answers: unknown[] = [null, 'no', { reply: {} }, { reply: { ok: 1, error: 2 } }, { reply: { ok: 1n } }]
  const { client: connect, noise } = await place(t, {
    channels: { lobby: { join: (_topic, payload) => payload === 'bad' ? { ok: 1n } : {} as never }, room: { ...LOBBY, handleIn: () => answers.shift() as undefined } }
  })
  const client = await connect()
  t.same(await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1), [reply('1', '1', 'lobby', 'error', { reason: 'join crashed' })])
  t.same(await client.send(['1', '1', 'lobby', 'phx_join', 'bad']).take(1), [reply('1', '1', 'lobby', 'error', { reason: 'join crashed' })])
  for (let i = 0; i < 5; i++) {
    t.match(await client.send(['1', '1', 'room', 'phx_join', {}], ['1', '2', 'room', 'any', {}]).take(2), [reply('1', '1', 'room', 'ok', {}), ['1', '1', 'room', 'phx_error', {}]])
  }
  t.same(noise().map(({ msg, err }) => [msg, err?.code]), [
    ['a channel failed', 'PST_ERR_ARGUMENT'], ['a channel failed', 'PST_ERR_DATA'],
    ['a channel failed', 'PST_ERR_ARGUMENT'], ['a channel failed', 'PST_ERR_ARGUMENT'], ['a channel failed', 'PST_ERR_ARGUMENT'], ['a channel failed', 'PST_ERR_ARGUMENT'], ['a channel failed', 'PST_ERR_DATA']
  ])
})

t.test('a client that vanishes while it joins, or gives that up, is not joined, and what let it in learns of its end', async (t) => {
  for (const how of ['vanishes', 'leaves'] as const) {
    const { pass, passed } = gate()
    const sockets: ChannelSocket[] = []
    const ends: EndReason[] = []
    const { app, client: connect } = await place(t, {
      channels: {
        lobby: {
          presence: true,
          async join (_topic, _payload, socket) {
            sockets.push(socket)
            socket.track('ada')
            await passed
            socket.info('never')
            return { ok: {} }
          },
          handleInfo () { t.fail('nobody is there') },
          terminate (reason) { ends.push(reason) }
        }
      }
    })
    const client = await connect()
    client.send(['1', '1', 'lobby', 'phx_join', {}], ['1', '2', 'lobby', 'any', {}])
    await until(() => sockets.length === 1)
    const [{ signal }] = sockets as [ChannelSocket]
    if (how === 'vanishes') {
      client.ws.terminate()
      await until(() => signal.aborted)
      t.equal(signal.reason, 'client')
    } else {
      t.same(await client.send(['1', '3', 'lobby', 'phx_leave', {}]).take(2), [reply('1', '3', 'lobby', 'ok', {}), ['1', '1', 'lobby', 'phx_close', {}]])
      t.equal(signal.reason, 'left')
    }
    t.same(ends, [], 'terminate comes behind join')
    pass()
    await until(() => ends.length === 1)
    t.same(ends, [how === 'vanishes' ? 'client' : 'left'])
    t.equal(app.topics.subscribers('phoenix:lobby'), 0)
  }
})

t.test('a join that fails when its client has gone is logged, and one that is refused then is nothing', async (t) => {
  const { pass, passed } = gate()
  const { app, client: connect, noise, logged } = await place(t, {
    channels: {
      fails: {
        async join () {
          await passed
          throw new Error('late')
        },
        terminate () { t.fail('it was not let in') }
      },
      refuses: {
        async join () {
          await passed
          return { error: {} }
        }
      }
    }
  })
  const client = await connect()
  client.send(['1', '1', 'fails', 'phx_join', {}], ['2', '2', 'refuses', 'phx_join', {}], [null, '3', 'phoenix', 'heartbeat', {}])
  await client.take(1)
  client.ws.terminate()
  await until(() => app.connections.size === 0)
  pass()
  t.match(await logged('a channel failed'), { err: { message: 'late' } })
  t.equal(noise().length, 1)
})

t.test('a channel whose terminate fails is logged, and who joins again is let in', async (t) => {
  const { client: connect, noise } = await place(t, { channels: { lobby: { ...LOBBY, terminate () { throw new Error('boom') } } } })
  const client = await connect()
  await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
  t.match(await client.send(['2', '2', 'lobby', 'phx_join', {}]).take(2), [['1', '1', 'lobby', 'phx_close'], reply('2', '2', 'lobby', 'ok', {})])
  t.match(noise(), [{ msg: 'a channel failed', err: { message: 'boom' } }])
})

t.test('a channel that is slower than what comes in ends the connection with overflow', async (t) => {
  const { client: connect, witness } = await place(t, { maxBuffered: 2_000, channels: { lobby: { ...LOBBY, handleIn: () => new Promise(() => {}) } } })
  const client = await connect()
  client.send(['1', '1', 'lobby', 'phx_join', {}])
  for (let i = 0; i < 40; i++) client.send(['1', '2', 'lobby', 'any', 'x'.repeat(100)])
  await witness.sees(t, 'overflow')
  t.equal(await client.closed(), 1013)
})

t.test('a broadcast from before a join does not come before its answer, and what comes while canSubscribe is asked comes behind it', async (t) => {
  const { pass, passed } = gate()
  const { app, client: connect } = await place(t, { channels: { '*': LOBBY } }, {
    pastelli: {
      async canSubscribe (_request, topic) {
        if (topic === 'phoenix:slow') await passed
        return topic !== 'phoenix:never'
      }
    }
  })
  const client = await connect()
  client.send(['1', '1', 'slow', 'phx_join', {}])
  await until(() => app.connections.size === 1)
  client.send(['2', '2', 'never', 'phx_join', {}])
  t.same(await client.take(1), [reply('2', '2', 'never', 'error', { reason: 'unauthorized' })])
  void broadcast(app, 'slow', 'between')
  pass()
  t.same(await client.take(2), [reply('1', '1', 'slow', 'ok', {}), [null, null, 'slow', 'between', {}]])
  void broadcast(app, 'fast', 'before')
  client.send(['3', '3', 'fast', 'phx_join', {}])
  t.same(await client.take(1), [reply('3', '3', 'fast', 'ok', {})])
  void broadcast(app, 'fast', 'bytes', Buffer.of(1, 2))
  t.same(await client.take(1), [Buffer.concat([Buffer.of(2, 4, 5), Buffer.from('fastbytes'), Buffer.of(1, 2)])])
  t.same(client.messages, [])
})

t.test('a join that is given up while canSubscribe is asked subscribes nobody', async (t) => {
  const { pass, passed } = gate()
  const ends: EndReason[] = []
  const { app, client: connect } = await place(t, { channels: { lobby: { ...LOBBY, terminate (reason) { ends.push(reason) } } } }, {
    pastelli: {
      async canSubscribe () {
        await passed
        return true
      }
    }
  })
  const client = await connect()
  t.same(await client.send(['1', '1', 'lobby', 'phx_join', {}], ['1', '2', 'lobby', 'phx_leave', {}]).take(2), [reply('1', '2', 'lobby', 'ok', {}), ['1', '1', 'lobby', 'phx_close', {}]])
  pass()
  await until(() => ends.length === 1)
  t.same(ends, ['left'])
  t.equal(app.topics.subscribers('phoenix:lobby'), 0)
  void broadcast(app, 'lobby', 'any')
  t.same(await client.send([null, '3', 'phoenix', 'heartbeat', {}]).take(1), [reply(null, '3', 'phoenix', 'ok', {})])
})

t.test('a client can\'t read what was sent before it joined, wherever it says that it was', async (t) => {
  const started = await place(t)
  const id = await broadcast(started.app, 'lobby', 'secret')
  void broadcast(started.app, 'lobby', 'secret')
  const client = await new Client(t, started, `vsn=2.0.0&lastEventId=${encodeURIComponent(id)}`).open()
  t.same(await client.send(['1', '1', 'lobby', 'phx_join', {}], [null, '2', 'phoenix', 'heartbeat', {}]).take(2), [reply('1', '1', 'lobby', 'ok', {}), reply(null, '2', 'phoenix', 'ok', {})])
})

t.test('a client that joined too late for what its log retains is cut, so that it joins anew', async (t) => {
  const { pass, passed } = gate()
  const { app, client: connect, witness } = await place(t, {}, {
    pastelli: {
      log: memoryLog({ events: 1 }),
      async canSubscribe () {
        await passed
        return true
      }
    }
  })
  const client = await connect()
  client.send(['1', '1', 'lobby', 'phx_join', {}])
  await until(() => app.connections.size === 1)
  client.send([null, '2', 'phoenix', 'heartbeat', {}])
  t.same(await client.take(1), [reply(null, '2', 'phoenix', 'ok', {})])
  for (const event of ['a', 'b', 'c']) void broadcast(app, 'lobby', event)
  pass()
  t.equal(await client.closed(), 1011)
  t.same(client.messages, [reply('1', '1', 'lobby', 'ok', {})])
  await witness.sees(t, 'error')
})

t.test('a broadcast is encoded once, however many get it', async (t) => {
  const { app, client: connect } = await place(t)
  const clients = await Promise.all([connect(), connect(), connect()])
  for (const client of clients) await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(1)
  let encoded = 0
  const payload = { toJSON: () => ++encoded }
  void broadcast(app, 'lobby', 'count', payload)
  for (const client of clients) t.same(await client.take(1), [[null, null, 'lobby', 'count', 1]])
  t.throws(() => broadcast(app, 'lobby', 'count', 1n), { code: 'PST_ERR_DATA' })
  t.throws(() => broadcast(app, 'x'.repeat(300), 'count'), { code: 'PST_ERR_TOPIC' })
})

t.test('a log on another machine carries broadcasts and presence, and what it refuses is logged', async (t) => {
  const log = new RemoteLog()
  const { client: connect, noise } = await place(t, {
    channels: {
      lobby: {
        presence: true,
        join (_topic, _payload, socket) {
          socket.track('ada')
          return { ok: {} }
        },
        async handleIn (event, payload, socket) { await socket.broadcast(event, payload) }
      }
    }
  }, { pastelli: { log } })
  const client = await connect()
  t.match(await client.send(['1', '1', 'lobby', 'phx_join', {}]).take(3), [reply('1', '1', 'lobby', 'ok', {}), ['1', null, 'lobby', 'presence_state', {}], [null, null, 'lobby', 'presence_diff', { joins: { ada: {} } }]])
  t.same(await client.send(['1', '2', 'lobby', 'any', 1]).take(1), [[null, null, 'lobby', 'any', 1]])
  log.append = async () => { throw new Error('no network') }
  client.send(['1', '3', 'lobby', 'phx_leave', {}])
  await until(() => noise().length === 1)
  t.match(noise(), [{ level: 50, msg: 'what was published is not in the log', topic: 'phoenix:lobby', err: { message: 'no network' } }])
})

t.test('who may not connect is refused with plain HTTP, and so is another version', async (t) => {
  const { origin, port } = await place(t, { connect: ({ user }) => user === 'ada' ? {} : false })
  const refused = async (query: string) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?${query}`)
    const [error] = await once(ws, 'error') as [Error]
    return error.message
  }
  t.match(await refused('vsn=2.0.0&user=eve'), '403')
  t.match(await refused('vsn=1.0.0&user=ada'), '400')
  t.match(await refused('user=ada'), '400')
  await new Client(t, { port }, 'vsn=2.0.0&user=ada').open()
  t.equal((await fetch(`${origin}/socket/websocket?vsn=2.0.0&user=ada`)).status, 426)
})

t.test('shutdown ends every membership with its reason, and nothing is left', async (t) => {
  const ends: EndReason[] = []
  const { app, client: connect, witness, noise } = await place(t, {
    channels: {
      '*': {
        presence: true,
        join (_topic, _payload, socket) {
          socket.track('me')
          const timer = setInterval(() => { void socket.push('ping') }, 5)
          socket.signal.addEventListener('abort', () => { clearInterval(timer) })
          return { ok: {} }
        },
        terminate (reason) { ends.push(reason) }
      }
    }
  })
  const clients = [await connect(), await connect()]
  for (const client of clients) {
    client.send(['1', '1', 'one', 'phx_join', {}], ['2', '2', 'two', 'phx_join', {}])
    await until(() => client.messages.length > 4)
  }
  t.equal(app.topics.subscribers('phoenix:one'), 2)
  await app.close()
  t.same(await Promise.all(clients.map((client) => client.closed())), [1001, 1001])
  await witness.sees(t, 'shutdown')
  t.same(ends, ['shutdown', 'shutdown', 'shutdown', 'shutdown'])
  for (const topic of ['one', 'two']) t.equal(app.topics.subscribers(`phoenix:${topic}`), 0)
  t.same(noise(), [])
})
