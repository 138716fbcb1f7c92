/** What is left when everybody has gone: nothing. */
import t from 'tap'
import { WebSocket } from 'ws'
import type { PhoenixOptions } from '../../phoenix/index.ts'
import { countHeld } from '../support/garbage.ts'
import { startChannels } from '../support/phoenix.ts'
import { until } from '../support/until.ts'

const CLIENTS = 20

t.test('nobody holds connections, memberships or presences of clients that have gone', async (t) => {
  const held: Array<WeakRef<object>> = []
  const timers = new Set<NodeJS.Timeout>()
  let over = 0
  const channels: PhoenixOptions['channels'] = {
    '*': {
      presence: true,
      join (topic, _payload, socket) {
        held.push(new WeakRef(socket), new WeakRef(socket.signal), new WeakRef(socket.connection))
        socket.track(topic)
        socket.track('everybody')
        const timer = setInterval(() => { void socket.push('ping') }, 10)
        timers.add(timer)
        socket.signal.addEventListener('abort', () => {
          clearInterval(timer)
          timers.delete(timer)
        })
        return { ok: {} }
      },
      handleIn: async () => ({ reply: { ok: {} } }),
      terminate () { over++ }
    }
  }
  const { app, origin, port, noise } = await startChannels(t, { channels, pollTimeout: 500 })
  const join = (topic: string) => JSON.stringify(['1', '1', topic, 'phx_join', {}])
  const push = (topic: string) => JSON.stringify(['1', '2', topic, 'any', {}])

  for (let i = 0; i < CLIENTS; i++) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`)
    ws.on('open', () => { for (const message of [join('one'), join('two'), push('one'), join(`own:${i}`)]) ws.send(message) })
    ws.on('message', (data) => { if (String(data).includes('ping')) ws.terminate() })
    const url = `${origin}/socket/longpoll?vsn=2.0.0`
    const { token } = await (await fetch(url)).json() as { token: string }
    await fetch(`${url}&token=${token}`, { method: 'POST', body: [join('one'), push('one'), join(`other:${i}`)].join('\n'), headers: { 'content-type': 'application/x-ndjson' } })
  }
  await until(() => over === 5 * CLIENTS, 'every membership is over')
  await until(() => app.connections.size === 0)
  t.equal(held.length, 3 * over)
  t.equal(timers.size, 0)
  for (const topic of ['one', 'two', 'own:0', 'other:0']) t.equal(app.topics.subscribers(`phoenix:${topic}`), 0)
  t.equal(await countHeld(held), 0)
  t.same(noise(), [])
})
