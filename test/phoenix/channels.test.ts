/** Channels as the client that the Phoenix team ships sees them, on both of its transports. */
import type { Socket } from 'phoenix'
import t, { type Test } from 'tap'
import { broadcast, type Channel, type ChannelSocket, type EndReason, type PhoenixOptions } from '../../phoenix/index.ts'
import { answered, connectClient, join, listen, startChannels, type Via, VIAS } from '../support/phoenix.ts'
import type { Server, ServerOptions } from '../support/server.ts'
import { until } from '../support/until.ts'

interface Place extends Server { connect: (options?: object) => Socket }

/** The same on each transport. */
function both (name: string, test: (t: Test, place: (options: PhoenixOptions, server?: ServerOptions) => Promise<Place>, via: Via) => Promise<void>): void {
  for (const via of VIAS) {
    t.test(`${via}: ${name}`, async (t) => {
      await test(t, async (options, own) => {
        const server = await startChannels(t, { pollWindow: 300, pollTimeout: 2_000, ...options }, own)
        return { ...server, connect: (client) => connectClient(t, server, via, client) }
      }, via)
    })
  }
}

/** Lets everybody in. */
function open (rest: Partial<Channel> = {}): Channel {
  return { join: () => ({ ok: {} }), ...rest }
}

both('a topic is joined, and another refused, each with its answer', async (t, place) => {
  const { connect } = await place({
    channels: { 'rooms:*': { join: (topic) => topic === 'rooms:lobby' ? { ok: { topic } } : { error: { reason: 'unauthorized' } } } }
  })
  const socket = connect()
  t.same(await answered(socket.channel('rooms:lobby').join()), { status: 'ok', response: { topic: 'rooms:lobby' } })
  t.same(await answered(socket.channel('rooms:cellar').join()), { status: 'error', response: { reason: 'unauthorized' } })
  t.same(await answered(socket.channel('halls:lobby').join()), { status: 'error', response: { reason: 'unmatched topic' } })
})

both('what a member pushes is answered, and broadcast to all, in order', async (t, place) => {
  const { connect } = await place({
    channels: {
      'rooms:*': open({
        handleIn (event, payload, socket) {
          void socket.broadcast(event, payload)
          return { reply: { ok: { heard: payload } } }
        }
      })
    }
  })
  const [ada, ben] = [await join(t, connect(), 'rooms:lobby', ['new:msg']), await join(t, connect(), 'rooms:lobby', ['new:msg'])]
  const payloads = Array.from({ length: 50 }, (_, n) => ({ n }))
  const answers = await Promise.all(payloads.map((payload) => answered(ada.channel.push('new:msg', payload))))
  t.same(answers, payloads.map((payload) => ({ status: 'ok', response: { heard: payload } })))
  const expected = payloads.map((payload) => ['new:msg', payload])
  t.same(await ada.took(50), expected)
  t.same(await ben.took(50), expected)
})

both('a broadcast is heard before the reply and the push that follow it', async (t, place) => {
  const { connect } = await place({
    channels: {
      room: open({
        handleIn (_event, _payload, socket) {
          void socket.broadcast('first')
          void socket.push('second')
          void socket.broadcast('third')
          return { reply: { ok: {} } }
        }
      })
    }
  })
  const socket = connect()
  const order: string[] = []
  const member = await join(t, socket, 'room')
  for (const event of ['first', 'second', 'third']) member.channel.on(event, () => { order.push(event) })
  member.channel.push('go', {}).receive('ok', () => { order.push('reply') })
  await until(() => order.length === 4)
  t.same(order, ['first', 'second', 'third', 'reply'])
})

both('broadcastFrom leaves out the sender', async (t, place) => {
  const { connect } = await place({
    channels: { room: open({ handleIn: (event, payload, socket) => { void socket.broadcastFrom(event, payload) } }) }
  })
  const [ada, ben] = [await join(t, connect(), 'room', ['note']), await join(t, connect(), 'room', ['note'])]
  ada.channel.push('note', { of: 'ada' })
  await ben.took(1)
  ben.channel.push('note', { of: 'ben' })
  t.same(await ada.took(1), [['note', { of: 'ben' }]])
  t.same(await ben.took(1), [['note', { of: 'ada' }]])
})

both('what a channel gives to itself while it lets a client in comes behind the answer to the join', async (t, place) => {
  const { connect } = await place({
    channels: {
      room: {
        async join (_topic, payload, socket) {
          socket.info(payload)
          await socket.broadcast('entered')
          return { ok: { is: 'in' } }
        },
        handleInfo (message, socket) {
          void socket.broadcast('entered', message)
          void socket.push('welcome', message)
        }
      }
    }
  })
  const order: unknown[] = []
  const { channel } = listen(connect(), 'room', [], { name: 'ada' })
  for (const event of ['entered', 'welcome']) channel.on(event, (payload: unknown) => { order.push([event, payload]) })
  channel.join().receive('ok', (response: unknown) => { order.push(response) })
  await until(() => order.length === 3)
  t.same(order, [{ is: 'in' }, ['entered', { name: 'ada' }], ['welcome', { name: 'ada' }]])
})

both('a push that fails is answered with error, and a channel may end the membership', async (t, place) => {
  const ends: EndReason[] = []
  const { connect } = await place({
    channels: {
      room: open({
        handleIn: (event) => event === 'bad' ? { reply: { error: { reason: 'bad' } } } : { reply: { ok: 'bye' }, stop: 'enough' },
        terminate (reason) { ends.push(reason) }
      })
    }
  })
  const { channel } = await join(t, connect(), 'room')
  let closed = 0
  channel.onClose(() => { closed++ })
  t.same(await answered(channel.push('bad', {})), { status: 'error', response: { reason: 'bad' } })
  t.same(await answered(channel.push('good', {})), { status: 'ok', response: 'bye' })
  await until(() => closed === 1)
  t.same(ends, ['enough'])
})

both('a member that leaves is told so, terminate is called once, its timers die and its broadcasts end', async (t, place) => {
  const ends: EndReason[] = []
  const sockets: ChannelSocket[] = []
  const { app, connect } = await place({
    channels: {
      room: open({
        join (_topic, _payload, socket) {
          sockets.push(socket)
          return { ok: {} }
        },
        terminate (reason) { ends.push(reason) }
      })
    }
  })
  const member = await join(t, connect(), 'room', ['note'])
  t.equal(app.topics.subscribers('phoenix:room'), 1)
  member.channel.leave()
  await until(() => ends.length !== 0)
  t.same(ends, ['left'])
  const [socket] = sockets as [ChannelSocket]
  t.equal(socket.signal.reason, 'left')
  t.equal(socket.push('late'), false)
  t.equal(socket.info('late'), false)
  t.equal(app.topics.subscribers('phoenix:room'), 0)
  t.equal(app.connections.size, 1)
})

both('a channel that throws dies with phx_error, once in the log, and is joined again', async (t, place) => {
  const ends: EndReason[] = []
  let joins = 0
  const { connect, noise } = await place({
    channels: {
      room: {
        join: () => ({ ok: { joins: ++joins } }),
        handleIn (event) {
          if (event === 'later') return Promise.reject(new Error('later'))
          throw new Error('boom')
        },
        terminate (reason) { ends.push(reason) }
      }
    }
  })
  const { channel } = await join(t, connect(), 'room')
  let errors = 0
  channel.onError(() => { errors++ })
  channel.push('now', {})
  await until(() => joins === 2)
  await until(() => channel.state === 'joined')
  channel.push('later', {})
  await until(() => joins === 3)
  t.equal(errors, 2)
  t.same(ends, ['error', 'error'])
  t.match(noise(), [
    { level: 50, msg: 'a channel failed', topic: 'room', err: { message: 'boom' } },
    { level: 50, msg: 'a channel failed', topic: 'room', err: { message: 'later' } }
  ])
  t.equal(noise().length, 2)
})

both('a join that throws is answered, and once in the log', async (t, place) => {
  const { connect, noise } = await place({ channels: { room: { join () { throw new Error('boom') } } } })
  const { channel } = listen(connect(), 'room', [])
  t.same(await answered(channel.join()), { status: 'error', response: { reason: 'join crashed' } })
  channel.leave()   // else it tries again
  t.match(noise(), [{ msg: 'a channel failed', err: { message: 'boom' } }])
  t.equal(noise().length, 1)
})

both('a topic that is joined twice ends the older membership', async (t, place) => {
  const ends: EndReason[] = []
  const { app, connect } = await place({ channels: { room: open({ terminate (reason) { ends.push(reason) } }) } })
  const socket = connect()
  const first = await join(t, socket, 'room')
  const second = await join(t, socket, 'room')
  t.equal(first.channel.state, 'closed')
  t.equal(second.channel.state, 'joined')
  t.same(ends, ['left'], 'this client leaves by itself before it joins again')
  t.equal(app.topics.subscribers('phoenix:room'), 1)
})

both('a client that disconnects ends all its memberships with the reason of the connection', async (t, place, via) => {
  const ends: Array<[string, EndReason]> = []
  const { app, connect } = await place({ channels: { '*': open({ terminate (reason, { topic }) { ends.push([topic, reason]) } }) } })
  const socket = connect()
  await join(t, socket, 'one')
  await join(t, socket, 'two')
  socket.disconnect()
  await until(() => app.connections.size === 0)
  await until(() => ends.length === 2)
  // One that polls may be gone before its poll has come.
  const [[, reason]] = ends as [[string, EndReason]]
  t.match(reason, via === 'WebSocket' ? 'client' : /^(client|timeout)$/)
  t.same(ends, [['one', reason], ['two', reason]])
  t.equal(app.topics.subscribers('phoenix:one'), 0)
})

both('bytes come back as bytes where the transport has them', async (t, place, via) => {
  const { connect } = await place({
    channels: {
      room: open({
        handleIn (event, payload, socket) {
          if (!(payload instanceof Uint8Array)) return { reply: { error: {} } }
          void socket.broadcast(event, payload)
          void socket.push('only:you', payload)
          return { reply: { ok: payload } }
        }
      })
    }
  })
  const member = await join(t, connect(), 'room', ['bytes', 'only:you'])
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  const expected = via === 'WebSocket' ? bytes.buffer : { binary: Buffer.from(bytes).toString('base64') }
  t.same(await answered(member.channel.push('bytes', bytes.buffer)), { status: 'ok', response: expected })
  t.same(await member.took(2), [['bytes', expected], ['only:you', expected]])
})

both('what connect answers is the state of each membership, and no membership sees another\'s', async (t, place) => {
  const { connect } = await place({
    connect: (params, request, authToken) => ({ user: params['user'], agent: typeof request.headers, authToken }),
    channels: {
      '*': open({
        handleIn (_event, _payload, socket) {
          const state = socket.state as { count?: number }
          state.count = (state.count ?? 0) + 1
          return { reply: { ok: state } }
        }
      })
    }
  })
  const socket = connect({ params: { user: 'ada', token: 'mine' }, authToken: 'señor' })
  const [one, two] = [await join(t, socket, 'one'), await join(t, socket, 'two')]
  const state = { user: 'ada', agent: 'object', authToken: 'señor' }
  t.same((await answered(one.channel.push('count', {}))).response, { ...state, count: 1 })
  t.same((await answered(one.channel.push('count', {}))).response, { ...state, count: 2 })
  t.same((await answered(two.channel.push('count', {}))).response, { ...state, count: 1 })
})

t.test('a client that gets no WebSocket falls back to long polling by itself', async (t) => {
  const server = await startChannels(t, {
    connect: (_params, { headers }) => headers.upgrade === undefined ? {} : false,
    channels: { room: open() },
    pollWindow: 300
  })
  const socket = connectClient(t, server, 'WebSocket', { longPollFallbackMs: 2_500 })
  await join(t, socket, 'room')
  t.same([...server.app.connections].map(({ transport }) => transport), ['longpoll'])
})

t.test('rejoining after a restart brings members, presence and broadcasts back', async (t) => {
  for (const via of VIAS) {
    const channels = {
      room: {
        presence: true,
        join (_topic: string, _payload: unknown, socket: ChannelSocket) {
          socket.track('ada')
          return { ok: {} }
        }
      }
    }
    const first = await startChannels(t, { channels, pollWindow: 300 })
    const socket = connectClient(t, first, via)
    const { took, channel } = await join(t, socket, 'room', ['note', 'presence_state'])
    await took(1)
    await first.app.close()
    await until(() => channel.state === 'errored')
    const second = await startChannels(t, { channels, pollWindow: 300 }, {}, first.port)
    await took(2)
    void broadcast(second.app, 'room', 'note')
    t.same((await took(3)).at(-1), ['note', {}])
    await until(() => second.app.topics.subscribers('phoenix:room') === 1)
  }
})
