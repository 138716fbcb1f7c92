/** Long polling by hand: its sessions, their statuses, and how they end. */
import { once } from 'node:events'
import http2 from 'node:http2'
import { json } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { Connection } from '../../index.ts'
import type { ChannelSocket, PhoenixOptions } from '../../phoenix/index.ts'
import { startChannels } from '../support/phoenix.ts'
import type { Server, ServerOptions } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

const LOBBY: PhoenixOptions['channels'] = { lobby: { join: () => ({ ok: {} }), handleIn: (event, payload) => event === 'echo' ? { reply: { ok: payload } } : undefined } }

interface Body { status: number, token?: string, messages?: string[] }

class Poller {
  readonly url: string
  token = ''

  constructor ({ origin }: Pick<Server, 'origin'>) {
    this.url = `${origin}/socket/longpoll?vsn=2.0.0`
  }

  /** Opens a session. */
  async open (): Promise<this> {
    const body = await this.poll()
    this.token = body.token as string
    return this
  }

  async poll (token = this.token): Promise<Body> {
    return await (await fetch(`${this.url}&token=${token}`)).json() as Body
  }

  async post (...messages: Array<unknown[] | string>): Promise<Body> {
    const body = messages.map((message) => typeof message === 'string' ? message : JSON.stringify(message)).join('\n')
    return await (await fetch(`${this.url}&token=${this.token}`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body })).json() as Body
  }

  /** Joins `lobby`, and takes the answer. */
  async join (): Promise<this> {
    await this.post(['1', '1', 'lobby', 'phx_join', {}])
    await this.poll()
    return this
  }
}

async function place (t: Test, options: Partial<PhoenixOptions> = {}, server: ServerOptions = {}): Promise<Server & { witness: Witness, poller: Poller }> {
  const started = await startChannels(t, { channels: LOBBY, pollWindow: 100, ...options }, server)
  return { ...started, witness: new Witness(started.app), poller: new Poller(started) }
}

t.test('the first poll opens a session, whose token nobody else has', async (t) => {
  const { app, origin, poller } = await place(t)
  const response = await fetch(poller.url)
  t.equal(response.status, 200)
  t.equal(response.headers.get('cache-control'), 'no-store')
  const body = await response.json() as Body
  t.match(body, { status: 410, token: /^pst\.[\w-]{22}$/, messages: [] })
  const { transport, route, id, lastEventId } = [...app.connections][0] as Connection
  t.same({ transport, route, lastEventId }, { transport: 'longpoll', route: '/socket/longpoll', lastEventId: null })
  t.not(body.token?.includes(id), true)
  const other = new Poller({ origin })
  t.not((await other.open()).token, body.token)
})

t.test('a poll waits for a message, and is told after a while that there is none', async (t) => {
  const { poller } = await place(t, { pollWindow: 1_000 })
  await poller.open()
  t.same(await poller.poll(), { status: 204, token: poller.token, messages: [] })
  const polled = poller.poll()
  t.same(await poller.post(['1', '2', 'lobby', 'phx_join', {}]), { status: 200 })
  t.same(await polled, { status: 200, token: poller.token, messages: ['["1","2","lobby","phx_reply",{"status":"ok","response":{}}]'] })
})

t.test('messages come in a batch, empty lines are nothing, and all answers of a turn are in one poll', async (t) => {
  const { poller } = await place(t)
  await (await poller.open()).join()
  const polled = poller.poll()
  const binary = Buffer.concat([Buffer.of(0, 1, 1, 5, 4), Buffer.from('17lobbyecho'), Buffer.of(0, 255)]).toString('base64')
  await poller.post('', ['1', '5', 'lobby', 'echo', 'one'], '\r', [null, '6', 'phoenix', 'heartbeat', {}], binary, '')
  t.same((await polled).messages, [
    '["1","5","lobby","phx_reply",{"status":"ok","response":"one"}]',
    '[null,"6","phoenix","phx_reply",{"status":"ok","response":{}}]',
    '["1","7","lobby","phx_reply",{"status":"ok","response":{"binary":"AP8="}}]'
  ])
  t.same(await (await fetch(`${poller.url}&token=${poller.token}`, { method: 'POST' })).json(), { status: 200 }, 'nothing at all is nothing')
})

t.test('what is sent between polls waits for the next one', async (t) => {
  const { poller } = await place(t)
  await (await poller.open()).join()
  for (const ref of ['2', '3']) await poller.post(['1', ref, 'lobby', 'echo', ref])
  t.same((await poller.poll()).messages?.length, 2)
})

t.test('a second poll makes the first give way', async (t) => {
  const { poller } = await place(t, { pollWindow: 60_000 })
  await poller.open()
  const first = poller.poll()
  const second = poller.poll()
  const polls = [first, second].map(async (polled, i) => [i, (await polled).status])
  t.equal((await Promise.race(polls))[1], 204)
  await poller.post([null, '1', 'phoenix', 'heartbeat', {}])
  t.same((await Promise.all(polls)).map(([, status]) => status).sort(), [200, 204])
})

t.test('a session that there is not is gone, and is not opened again', async (t) => {
  const { app, poller } = await place(t)
  const token = `pst.${'A'.repeat(22)}`
  t.same(await poller.poll(token), { status: 410, token, messages: [] })
  poller.token = token
  t.same(await poller.post(['1', '1', 'lobby', 'phx_join', {}]), { status: 410 })
  t.equal(app.connections.size, 0)
  poller.token = 'the app\'s own'
  t.same(await poller.post(['1', '1', 'lobby', 'phx_join', {}]), { status: 410 })
})

t.test('a parameter of the app\'s may be called token as well', async (t) => {
  const seen: unknown[] = []
  const { poller } = await place(t, {
    connect (params) {
      seen.push(params)
      return {}
    }
  })
  await fetch(`${poller.url}&token=mine`)
  const { token } = await (await fetch(`${poller.url}&token=mine&other=1`)).json() as Body
  t.same(seen, [{ token: 'mine' }, { token: 'mine', other: '1' }])
  t.match(await (await fetch(`${poller.url}&token=mine&token=${token as string}`)).json(), { status: 204 })
})

t.test('a client that stays away ends with timeout, and nothing of it is left', async (t) => {
  const { app, poller, witness } = await place(t, { pollWindow: 10, pollTimeout: 1_000 })
  await (await poller.open()).join()
  t.equal(app.topics.subscribers('phoenix:lobby'), 1)
  await witness.sees(t, 'timeout')
  t.equal(app.topics.subscribers('phoenix:lobby'), 0)
  t.same((await poller.poll()).status, 410)
})

t.test('a client whose poll is cut is gone, and so is one that did not get its answer', async (t) => {
  const { app, port, poller, witness } = await place(t, { pollWindow: 60_000 })
  await poller.open()
  const raw = await connect(t, port)
  raw.get(`/socket/longpoll?vsn=2.0.0&token=${poller.token}`)
  await until(() => app.server.listening)
  await poller.post([null, '1', 'phoenix', 'heartbeat', {}])
  await raw.answer()
  raw.get(`/socket/longpoll?vsn=2.0.0&token=${poller.token}`)
  const other = await connect(t, port)
  other.request('GET', '/nothing')
  await other.answer()
  raw.leave()
  await witness.sees(t, 'client')
})

t.test('a client that has gone while a hook of the app\'s took its time ends with client as well', async (t) => {
  let isAsked = false
  const { port, poller, witness } = await place(t, { pollWindow: 60_000, pollTimeout: 60_000 }, {
    before: (app) => {
      app.addHook('onRequest', async ({ headers, raw }) => {
        if (headers['x-slow'] === undefined) return
        isAsked = true
        await once(raw.socket, 'close')
      })
    }
  })
  await poller.open()
  await poller.post([null, '1', 'phoenix', 'heartbeat', {}])
  const raw = await connect(t, port)
  raw.get(`/socket/longpoll?vsn=2.0.0&token=${poller.token}`, { 'x-slow': '1' })
  await until(() => isAsked)
  raw.leave()
  await witness.sees(t, 'client')
})

t.test('what is no message ends the session, and is no error of the server\'s', async (t) => {
  const { app, poller, witness, lines, noise } = await place(t)
  for (const wrong of ['[', '[]', 'no base64', '["1","1","lobby","phx_join"]']) {
    await (await poller.open()).join()
    t.same(await poller.post(wrong, ['1', '9', 'lobby', 'echo', {}]), { status: 410 })
    t.same((await poller.poll()).status, 410)
  }
  await witness.sees(t, 'error')
  t.equal(app.topics.subscribers('phoenix:lobby'), 0)
  t.match(lines('a client sent what is no message of Phoenix'), [{ level: 30, err: { code: 'PST_ERR_MESSAGE' } }])
  t.same(noise(), [])
})

t.test('more than may wait for a poll ends the session with overflow', async (t) => {
  const { poller, witness } = await place(t, { maxBuffered: 1_000 })
  await (await poller.open()).join()
  const echoes = Array.from({ length: 20 }, (_, i) => ['1', String(i), 'lobby', 'echo', 'x'.repeat(100)])
  for (const echo of echoes) await poller.post(echo)
  await witness.sees(t, 'overflow')
  t.same((await poller.poll()).status, 410)
})

t.test('who may not connect is told so, and no session is opened', async (t) => {
  const answers: Array<() => unknown> = [() => false, async () => false, () => undefined, () => true, async () => { throw new Error('boom') }]
  const { app, poller, noise } = await place(t, { connect: () => answers.shift()?.() as false })
  const statuses = []
  for (let i = 0; i < 5; i++) statuses.push((await poller.poll()).status)
  t.same(statuses, [403, 403, 500, 500, 500])
  t.equal(app.connections.size, 0)
  t.match(noise(), [{ err: { code: 'PST_ERR_ARGUMENT' } }, { err: { code: 'PST_ERR_ARGUMENT' } }, { err: { message: 'boom' } }])
})

t.test('a hook of the app\'s that refuses, limits and other versions answer what the client understands', async (t) => {
  const server = await place(t, { maxConnections: 1 }, {
    before: (app) => {
      app.addHook('onRequest', async ({ headers }) => {
        if (headers['x-refuse'] !== undefined) throw Object.assign(new Error('no'), { statusCode: Number(headers['x-refuse']) })
      })
    }
  })
  const { poller, origin } = server
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(origin + path, { headers })
    return [response.status, (await response.json() as Body).status]
  }
  t.same(await ask('/socket/longpoll?vsn=2.0.0', { 'x-refuse': '401' }), [200, 403])
  t.same(await ask('/socket/longpoll?vsn=2.0.0', { 'x-refuse': '429' }), [200, 500])
  t.same(await ask('/socket/longpoll'), [200, 403])
  t.same(await ask('/socket/longpoll?vsn=1.0.0'), [200, 403])
  await poller.open()
  t.same(await ask('/socket/longpoll?vsn=2.0.0'), [200, 500])
  t.equal((await fetch(poller.url, { method: 'HEAD' })).status, 404)
})

t.test('a limit by key counts sessions, and its key is the app\'s', async (t) => {
  const { poller } = await place(t, { maxConnectionsPerKey: 1, key: () => 'all' })
  await poller.open()
  t.equal((await poller.poll('')).status, 500)
})

t.test('a connection that the app closes gives what it has, and then is gone', async (t) => {
  const { app, poller, witness } = await place(t)
  await (await poller.open()).join()
  const [connection] = [...app.connections]
  await poller.post(['1', '2', 'lobby', 'echo', 'last'])
  connection?.close()
  t.match(await poller.poll(), { status: 200, messages: [/last/] })
  t.same((await poller.poll()).status, 410)
  await witness.sees(t, 'server')
})

t.test('shutdown answers the polls that wait, and does not wait for polls that can\'t come', async (t) => {
  const { app, poller, witness, origin } = await place(t, { pollWindow: 60_000 }, { pastelli: { drain: 30_000 } })
  await (await poller.open()).join()
  const other = await new Poller({ origin }).open()
  await other.post([null, '1', 'phoenix', 'heartbeat', {}])
  const polled = poller.poll()
  await fetch(`${origin}/nothing`)
  const began = performance.now()
  await app.close()
  t.equal((await polled).status, 410)
  t.ok(performance.now() - began < 5_000)
  await witness.sees(t, 'shutdown')
})

t.test('over HTTP/2 a session is the same, and a poll that is cut ends it', async (t) => {
  const { origin, witness } = await place(t, { pollWindow: 60_000 }, { http2: true, tls: true })
  const client = http2.connect(origin, { rejectUnauthorized: false })
  t.teardown(() => { client.destroy() })
  const ask = (query: string) => client.request({ ':path': `/socket/longpoll?vsn=2.0.0${query}` })
  const { token } = await json(ask('')) as { token: string }
  const poll = ask(`&token=${token}`)
  const post = client.request({ ':path': `/socket/longpoll?vsn=2.0.0&token=${token}`, ':method': 'POST', 'content-type': 'application/x-ndjson' })
  post.end(JSON.stringify([null, '1', 'phoenix', 'heartbeat', {}]))
  t.same(await json(post), { status: 200 })
  t.match(await json(poll), { status: 200, messages: [/phx_reply/] })
  const cut = ask(`&token=${token}`)
  cut.on('error', () => {})
  t.match(await json(ask('&token=')), { status: 410 }, 'the poll before this one has come')
  cut.destroy()
  const [connection] = witness.opened
  t.equal(await connection?.closed, 'client')
})

t.test('bytes that the app writes by itself are text like all else, and senders wait for a poll', async (t) => {
  const sockets: ChannelSocket[] = []
  const { poller } = await place(t, {
    highWaterMark: 100,
    channels: {
      lobby: {
        join (_topic, _payload, socket) {
          sockets.push(socket)
          return { ok: {} }
        }
      }
    }
  })
  await (await poller.open()).join()
  const [socket] = sockets as [ChannelSocket]
  void socket.connection.chunk(Buffer.from('["é"]\n'))
  t.match((await poller.poll()).messages, ['["é"]'])
  const sent = socket.push('large', 'x'.repeat(200))
  t.type(sent, Promise)
  await poller.poll()
  t.equal(await sent, true)
})
