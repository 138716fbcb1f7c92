/**
 * Everything at once, at random: whatever happens to it, a client that comes back has every event of its topics, once, in
 * order. PASTELLI_FUZZ_SEED: which random life is played.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Connection, memoryLog } from '../../index.ts'
import { start, type Server, type ServerOptions } from '../support/server.ts'
import { subscribe, type Protocol, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)
const CLIENTS = 8
const STEPS = 2_000
const EXTRAS = ['x', 'y', 'z']

const turn = () => new Promise(setImmediate)

class Random {
  #state: number

  constructor (seed: number) {
    this.#state = seed % 2147483646 + 1
  }

  /** From 0 to `below - 1`. */
  below (below: number): number {
    this.#state = this.#state * 48271 % 2147483647
    return this.#state % below
  }

  one<Item> (items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }
}

// A client that comes back whenever it is cut, and what all of its connections together have read.
class Player {
  readonly name: string
  readonly seen: Array<{ data: string, id: string | undefined }> = []
  gaps = 0
  isHalf = false
  #current: Subscriber | null = null
  #opening: Promise<void> | null = null
  readonly #open: (lastEventId: string) => Promise<Subscriber>
  #lastEventId: string

  constructor (name: string, lastEventId: string, open: (lastEventId: string) => Promise<Subscriber>) {
    this.name = name
    this.#lastEventId = lastEventId
    this.#open = open
  }

  get client (): Subscriber | null {
    return this.#current
  }

  // Notices that it was cut, and comes back.
  comeBack (): void {
    if (this.#current?.isEnded === true) this.#putAway(this.#current)
    if (this.#current !== null || this.#opening !== null) return
    this.#opening = this.#open(this.#lastEventId).then((client) => { this.#current = client }, () => {}).finally(() => { this.#opening = null })
  }

  leave (): void {
    if (this.#current === null) return
    this.#current.leave()
    this.#putAway(this.#current)
  }

  has (data: string): boolean {
    this.comeBack()
    return this.#current?.data.includes(data) === true || this.seen.some((event) => event.data === data)
  }

  #putAway (client: Subscriber): void {
    this.#current = null
    this.isHalf = false
    this.seen.push(...client.events.filter(({ event }) => event !== 'gap'))
    this.gaps += client.gaps.length
    if (client.lastEventId !== '') this.#lastEventId = client.lastEventId
  }
}

const PROTOCOLS: Record<string, { protocol: Protocol, options: ServerOptions }> = {
  'HTTP/1.1': { protocol: 'http1', options: {} },
  'HTTP/1.1 over TLS': { protocol: 'http1', options: { tls: true } },
  'HTTP/2': { protocol: 'http2', options: { http2: true } }
}

for (const [title, { protocol, options }] of Object.entries(PROTOCOLS)) {
  t.test(`${title}, with seed ${SEED}`, async (t) => {
    const server = await start(t, (app) => {
      app.stream('/', { topics: ['a', 'b'] }, (request, reply) => { reply.connection.name = (request.query as { name: string }).name })
    }, {
      ...options,
      pastelli: {
        log: memoryLog({ events: 1_000_000, bytes: 1_000_000_000 }),
        canSubscribe: () => random.below(2) === 0 || turn().then(turn).then(() => true),
        heartbeat: 20
      }
    })
    const random = new Random(SEED)
    const players = Array.from({ length: CLIENTS }, (_, i) => new Player(`p${i}`, server.app.topics.position, async (lastEventId) => {
      return await subscribe(t, server.origin, `/?name=p${i}`, { protocol, lastEventId })
    }))
    const expected = await play(t, server, players, random)
    for (const player of players) {
      player.leave()
      const own = player.seen.filter(({ data }) => /^[ab]\d/.test(data)).map(({ data }) => data.split(' ')[0])
      const wanted = expected.filter(({ except }) => except !== player.name).map(({ data }) => data)
      t.equal(own.join(' '), wanted.join(' '), `${player.name} has all of ${wanted.length}, once and in order`)
      const offsets = player.seen.flatMap(({ id }) => id === undefined ? [] : [Number(id.split(':')[1])])
      t.ok(offsets.every((offset, i) => i === 0 || offset > (offsets[i - 1] as number)), 'and everything in the order of the log')
      t.equal(player.gaps, 0)
    }
    t.same(server.noise(), [])
    await until(() => server.app.connections.size === 0)
    for (const topic of ['a', 'b', ...EXTRAS]) t.equal(server.app.topics.subscribers(topic), 0)
  })
}

async function play (t: Test, { app }: Server, players: Player[], random: Random): Promise<Array<{ data: string, except: string | undefined }>> {
  const published: Array<{ data: string, except: string | undefined }> = []
  const publish = (topic: string) => {
    const data = `${topic}${published.length}`
    const except = random.below(10) === 0 ? random.one(players).name : undefined
    app.topics.publish(topic, `${data} ${'x'.repeat(random.below(20) === 0 ? 60_000 : random.below(200))}`, { except })
    published.push({ data, except })
  }
  const connectionOf = ({ name }: Player): Connection | undefined => app.connections.named(name).find(({ phase }) => phase === 'open')
  // Each with how often it happens.
  const acts: Array<[number, (player: Player, connection: Connection | undefined) => unknown]> = [
    [20, () => { publish('a') }],
    [20, () => { publish('b') }],
    [1, () => { for (let i = 0; i < 200; i++) publish(random.one(['a', 'b'])) }],
    [5, () => { app.topics.publish(random.one(EXTRAS), 'extra') }],
    [3, (_player, connection) => { void connection?.subscribe(random.one(EXTRAS)) }],
    [3, (_player, connection) => { connection?.unsubscribe(random.one(EXTRAS)) }],
    [5, (_player, connection) => { connection?.event('direct') }],
    [3, (player, connection) => {
      if (connection === undefined) return
      connection.chunk(player.isHalf ? 'of it\n\n' : 'data: half ')
      player.isHalf = !player.isHalf
    }],
    [1, (player) => { player.client?.pause() }],
    [2, (player) => { player.client?.resume() }],
    [2, (_player, connection) => { if (connection !== undefined) void app.topics.reauthorize(connection) }],
    [1, () => { void app.topics.reauthorize() }],
    [1, (_player, connection) => { connection?.destroy() }],
    [1, (_player, connection) => { connection?.close() }],
    [1, (player) => { player.leave() }],
    [40, turn],
    [2, async () => { await delay(5) }]
  ]
  const often = acts.flatMap(([times, act]) => Array.from({ length: times }, () => act))
  for (let step = 0; step < STEPS; step++) {
    const player = random.one(players)
    player.comeBack()
    await random.one(often)(player, connectionOf(player))
  }
  for (const player of players) {
    player.client?.resume()
    if (player.isHalf) connectionOf(player)?.close()
  }
  app.topics.publish('a', 'end')
  t.ok(published.length > 1_000, `${published.length} events`)
  for (const player of players) await until(() => player.has('end'), `${player.name} has the end`)
  return published
}
