/** Presence: who is on a topic, as the client's own `Presence` sees it. */
import { Presence, type Socket } from 'phoenix'
import t, { type Test } from 'tap'
import type { Channel, ChannelSocket } from '../../phoenix/index.ts'
import { connectClient, type Heard, join, listen, startChannels } from '../support/phoenix.ts'
import type { Server } from '../support/server.ts'
import { until } from '../support/until.ts'

// Tracks who joins under the key that they give, and does what they push.
const ROOM: Channel = {
  presence: true,
  join (_topic, payload, socket) {
    const { key, device } = payload as { key?: string, device?: string }
    if (key !== undefined) socket.track(key, { device })
    return { ok: {} }
  },
  handleIn (event, payload, socket) {
    const { key, meta } = payload as { key: string, meta: object }
    if (event === 'track') socket.track(key, meta)
    else socket.untrack(key)
    return { reply: { ok: {} } }
  }
}

interface Member extends Heard { socket: Socket, presence: Presence }

async function place (t: Test, channel: Channel = ROOM): Promise<Server & { come: (params?: object) => Promise<Member> }> {
  const server = await startChannels(t, { channels: { room: channel } })
  const come = async (params: object = {}) => {
    const socket = connectClient(t, server, 'WebSocket')
    const heard = listen(socket, 'room', ['presence_state', 'presence_diff'], params)
    const presence = new Presence(heard.channel)
    await new Promise((resolve) => { heard.channel.join().receive('ok', resolve) })
    return { ...heard, socket, presence }
  }
  return { ...server, come }
}

/** Who is there, with their devices. */
function seenBy ({ presence }: Member): Record<string, unknown[]> {
  const list = presence.list((key: string, { metas }: { metas: Array<{ device: unknown }> }) => [key, metas.map(({ device }) => device)])
  return Object.fromEntries(list as unknown as Array<[string, unknown[]]>)
}

async function sees (t: Test, member: Member, expected: Record<string, unknown[]>): Promise<void> {
  await until(() => JSON.stringify(seenBy(member)) === JSON.stringify(expected), `${JSON.stringify(expected)} is seen`).catch(() => {})
  t.same(seenBy(member), expected)
}

t.test('a member sees who is there, who comes and who goes', async (t) => {
  const { come } = await place(t)
  const watcher = await come()
  await sees(t, watcher, {})
  const ada = await come({ key: 'ada', device: 'desk' })
  await sees(t, watcher, { ada: ['desk'] })
  await sees(t, ada, { ada: ['desk'] })
  const ben = await come({ key: 'ben', device: 'phone' })
  await sees(t, ben, { ada: ['desk'], ben: ['phone'] })
  await sees(t, watcher, { ada: ['desk'], ben: ['phone'] })
  ada.channel.leave()
  await sees(t, watcher, { ben: ['phone'] })
  ben.socket.disconnect()
  await sees(t, watcher, {})
})

t.test('several members may share a key: it is there as long as one of them is', async (t) => {
  const { come } = await place(t)
  const watcher = await come()
  const desk = await come({ key: 'ada', device: 'desk' })
  const phone = await come({ key: 'ada', device: 'phone' })
  await sees(t, watcher, { ada: ['desk', 'phone'] })
  await sees(t, phone, { ada: ['desk', 'phone'] })
  const refs = (watcher.presence as unknown as { state: Record<string, { metas: Array<{ phx_ref: string }> }> }).state['ada']?.metas.map((meta) => meta.phx_ref)
  t.equal(new Set(refs).size, 2)
  desk.socket.disconnect()
  await sees(t, watcher, { ada: ['phone'] })
})

t.test('tracked again a member has a new meta, and untracked it is absent', async (t) => {
  const { come } = await place(t)
  const watcher = await come()
  const ada = await come({ key: 'ada', device: 'desk' })
  await watcher.took(2)
  ada.channel.push('track', { key: 'ada', meta: { device: 'sofa' } })
  await sees(t, watcher, { ada: ['sofa'] })
  const [, first, second] = watcher.events as unknown as Array<[string, { joins: { ada: { metas: Array<Record<string, string>> } }, leaves: { ada: { metas: Array<Record<string, string>> } } }]>
  const before = first?.[1].joins.ada.metas[0]?.['phx_ref'] as string
  t.match(second?.[1], { joins: { ada: { metas: [{ device: 'sofa', phx_ref_prev: before }] } }, leaves: { ada: { metas: [{ phx_ref: before }] } } })
  ada.channel.push('untrack', { key: 'ada' })
  await sees(t, watcher, {})
  ada.channel.push('untrack', { key: 'ada' })
  ada.channel.push('track', { key: 'ada', meta: {} })
  await sees(t, watcher, { ada: [undefined] })
  t.equal(watcher.events.length, 5, 'what changed nothing was not told')
})

t.test('who leaves is told once, whatever ends the membership', async (t) => {
  const { app, come } = await place(t)
  const watcher = await come()
  const leaves = () => watcher.events.filter(([name, payload]) => name === 'presence_diff' && 'ada' in (payload as { leaves: object }).leaves).length
  const ends: Array<(member: Member) => unknown> = [
    ({ channel, socket }) => {
      channel.leave()
      socket.disconnect()
    },
    ({ socket }) => { socket.disconnect() },
    () => { [...app.connections].at(-1)?.destroy() }
  ]
  for (const [i, end] of ends.entries()) {
    const ada = await come({ key: 'ada' })
    await sees(t, watcher, { ada: [undefined] })
    end(ada)
    ada.socket.disconnect()
    await sees(t, watcher, {})
    t.equal(leaves(), i + 1)
  }
})

t.test('names of prototypes are keys like all others', async (t) => {
  const { come } = await place(t)
  const watcher = await come()
  const keys = ['__proto__', 'constructor', 'toString', '']
  const members = []
  for (const key of keys) members.push(await come({ key, device: 'desk' }))
  const names = () => (watcher.presence.list((key: string) => key) as unknown as string[]).sort()
  await until(() => names().length === 4)
  t.same(names(), [...keys].sort())
  t.equal(({} as { metas?: unknown }).metas, undefined)
  for (const { socket } of members) socket.disconnect()
  await until(() => names().length === 0)
})

t.test('what changes in one tick is told at once', async (t) => {
  const sockets: ChannelSocket[] = []
  const { come } = await place(t, {
    ...ROOM,
    handleInfo (_message, socket) { socket.track('late') },
    join (topic, payload, socket) {
      sockets.push(socket)
      return ROOM.join(topic, payload, socket)
    }
  })
  const watcher = await come()
  const [first] = sockets as [ChannelSocket]
  for (const key of ['a', 'b', 'c']) first.track(key)
  first.untrack('b')
  await watcher.took(2)
  const [, diff] = watcher.events[1] as [string, { joins: object, leaves: object }]
  t.same([Object.keys(diff.joins), Object.keys(diff.leaves)], [['a', 'b', 'c'], ['b']])
  await sees(t, watcher, { a: [undefined], c: [undefined] })
})

t.test('what can\'t be tracked is refused, and nothing of it is told', async (t) => {
  const sockets: ChannelSocket[] = []
  const errors: unknown[] = []
  const attempt = (run: () => void) => {
    try {
      run()
    } catch (error) {
      errors.push((error as { code: string }).code)
    }
  }
  const cycle: { self?: object } = {}
  cycle.self = cycle
  const { come, noise } = await place(t, {
    presence: true,
    join (_topic, _payload, socket) {
      sockets.push(socket)
      attempt(() => { socket.track('ada', cycle) })
      attempt(() => { socket.track(1 as never) })
      attempt(() => { socket.track('ada', null as never) })
      attempt(() => { void socket.push('too', 'early') })
      socket.track('ada')
      socket.untrack('ada')
      return { ok: {} }
    }
  })
  const member = await come()
  const [socket] = sockets as [ChannelSocket]
  attempt(() => { socket.track('ada', cycle) })
  t.same(errors, ['PST_ERR_DATA', 'PST_ERR_ARGUMENT', 'PST_ERR_ARGUMENT', 'PST_ERR_NOT_JOINED', 'PST_ERR_DATA'])
  await sees(t, member, {})
  member.socket.disconnect()
  await until(() => socket.signal.aborted)
  socket.track('ada')
  const later = await come()
  await sees(t, later, {})
  t.same(noise(), [])
})

t.test('a channel without presence can\'t track', async (t) => {
  const server = await startChannels(t, { channels: { room: { join: (_topic, _payload, socket) => ({ ok: socket.track('ada') }) } } })
  const { channel } = listen(connectClient(t, server, 'WebSocket'), 'room', [])
  channel.join()
  t.match(await server.logged('a channel failed'), { err: { code: 'PST_ERR_ARGUMENT' } })
  channel.leave()
})

t.test('nobody has to be tracked for a state to be sent', async (t) => {
  const server = await startChannels(t, { channels: { room: { join: () => ({ ok: {} }), presence: true }, plain: { join: () => ({ ok: {} }), handleIn: () => ({ reply: { ok: {} } }) } } })
  const socket = connectClient(t, server, 'WebSocket')
  const room = await join(t, socket, 'room', ['presence_state'])
  t.same(await room.took(1), [['presence_state', {}]])
  const plain = await join(t, socket, 'plain', ['presence_state'])
  await new Promise((resolve) => { plain.channel.push('any', {}).receive('ok', resolve) })
  t.same(plain.events, [])
})
