/** What may happen, to the real thing and to the model, each with how often it does. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import fc from 'fast-check'
import type { CloseReason } from '../../index.ts'
import { agree, compare, connectionOf, place, wireOf } from './agree.ts'
import { type Model, nameOf, type Open, type Route, ROUTES, TOPICS } from './model.ts'
import type { FormatName } from './reading.ts'
import type { World } from './world.ts'

const FORMATS: readonly FormatName[] = ['event-stream', 'ndjson', 'websocket']
const MALFORMED = ['0', ':', ':1', 'epoch:', 'epoch:-1', 'epoch:01', 'epoch:1:1', 'epoch:1e3', 'e p:1', 'x'.repeat(200), '9'.repeat(30) + ':' + '9'.repeat(17)]
const FROM = ['none', 'own', 'old', 'ahead', 'foreign', 'malformed'] as const

interface Connect { client: number, route: Route, format: FormatName, topics: string[], from: typeof FROM[number], n: number, inQuery: boolean }

interface Publication { topic: string, size: number, isWide: boolean, except: number | null }

interface Change { client: number, before: Publication[], what: 'subscribe' | 'unsubscribe' | 'close' | 'destroy' | 'cut' | 'event', topics: string[], size: number, after: Publication[] }

export class Command<Args> implements fc.AsyncCommand<Model, World> {
  readonly #name: string
  readonly #args: Args
  readonly #can: (model: Model, args: Args) => boolean
  readonly #act: (model: Model, world: World, args: Args) => unknown

  constructor (name: string, args: Args, can: (model: Model, args: Args) => boolean, act: (model: Model, world: World, args: Args) => unknown) {
    this.#name = name
    this.#args = args
    this.#can = can
    this.#act = act
  }

  check (model: Model): boolean {
    return this.#can(model, this.#args)
  }

  async run (model: Model, world: World): Promise<void> {
    await this.#act(model, world, this.#args)
    await world.settle()
    agree(model, world)
  }

  toString (): string {
    return `${this.#name} ${JSON.stringify(this.#args)}`
  }
}

const client = fc.nat(10_000)
const topics = fc.subarray([...TOPICS])
const someTopics = fc.subarray([...TOPICS], { minLength: 1 })
const size = fc.oneof({ weight: 6, arbitrary: fc.nat(200) }, { weight: 2, arbitrary: fc.nat(20_000) }, { weight: 1, arbitrary: fc.nat(100_000) })
const publication = fc.record<Publication>({ topic: fc.constantFrom(...TOPICS), size, isWide: fc.boolean(), except: fc.option(client, { freq: 8 }) })
const SECOND = 1_000
const MINUTE = 60 * SECOND

/**
 * @param pace how many ms pass in a step at most: one of these
 * @param rarity how many times less often than by default the server starts again
 */
export function commands (pace: readonly number[], rarity = 1): Array<{ weight: number, arbitrary: fc.Arbitrary<fc.AsyncCommand<Model, World>> }> {
  const others = [
    weigh(12, 'connect', fc.record<Connect>({
      client,
      route: fc.constantFrom(...ROUTES),
      format: fc.constantFrom(...FORMATS),
      topics,
      from: fc.constantFrom(...FROM, 'own', 'own', 'own'),
      n: fc.nat(100),
      inQuery: fc.boolean()
    }), (model, { client }) => currentOf(model, client) === undefined, connect),
    weigh(6, 'leave', fc.record({ client, how: fc.constantFrom('end', 'reset', 'vanish') }), (model, { client }) => currentOf(model, client) !== undefined, leave),
    weigh(6, 'stall', fc.record({ client }), isOpen, (model, world, { client }) => { wireOf(world, openOf(model, client)).stall() }),
    weigh(6, 'read', fc.record({ client }), (model, { client }) => currentOf(model, client) !== undefined, (model, world, { client }) => { wireOf(world, openOf(model, client)).resume() }),
    weigh(4, 'overrun', fc.record({ client, publications: fc.array(publication, { minLength: 5, maxLength: 15 }) }), isOpen, overrun),
    weigh(25, 'publish', fc.array(publication, { minLength: 1, maxLength: 8 }), () => true, publish),
    weigh(12, 'change', fc.record<Change>({
      client,
      before: fc.array(publication, { maxLength: 4 }),
      what: fc.constantFrom('subscribe', 'subscribe', 'unsubscribe', 'close', 'destroy', 'cut', 'event', 'event'),
      topics: someTopics,
      size,
      after: fc.array(publication, { maxLength: 4 })
    }), isOpen, change),
    weigh(4, 'end again', fc.record({ client, what: fc.constantFrom('close', 'destroy', 'expire') }), (model, { client }) => (currentOf(model, client)?.ends ?? null) !== null, endAgain),
    weigh(3, 'allow', fc.record({ client, topic: fc.constantFrom(...TOPICS), may: fc.boolean(), isAll: fc.boolean() }), isOpen, allow),
    weigh(2, 'expire', fc.record({ client, ms: fc.constantFrom(0, SECOND, MINUTE, 10 * MINUTE) }), isOpen, expire),
    weigh(20, 'advance', fc.record({ ms: fc.oneof(...pace.map((max) => fc.integer({ min: 1, max }))) }), () => true, async (_model, world, { ms }) => { await world.time.advance(ms) })
  ]
  return [...others.map(({ weight, arbitrary }) => ({ weight: weight * rarity, arbitrary })), weigh(1, 'restart', fc.constant({}), () => true, restart)]
}

/** The paces of a schedule that is made to find something, ms at most. */
export const QUICK = [SECOND, SECOND, 30 * SECOND, 30 * SECOND, 10 * MINUTE, 120 * MINUTE]

/** Everybody leaves, and nothing is left. */
export async function finish (model: Model, world: World): Promise<void> {
  for (const open of model.open) {
    wireOf(world, open).line.reset()
    model.end(open, 'client', world.time.now)
  }
  await world.settle()
  agree(model, world)
  deepEqual(model.open, [])
  await world.time.advance(2 * SECOND)
  equal(world.time.timers.size, 0, 'a timer is left that nobody needs')
  await world.time.await(world.server.close())
}

function weigh<Args> (weight: number, name: string, args: fc.Arbitrary<Args>, can: (model: Model, args: Args) => boolean, act: (model: Model, world: World, args: Args) => unknown): { weight: number, arbitrary: fc.Arbitrary<fc.AsyncCommand<Model, World>> } {
  return { weight, arbitrary: args.map((given) => new Command(name, given, can, act)) }
}

function currentOf ({ current, settings }: Model, client: number): Open | undefined {
  return current.get(client % settings.clients)
}

function openOf (model: Model, client: number): Open {
  return currentOf(model, client) as Open
}

function isOpen (model: Model, { client }: { client: number }): boolean {
  return currentOf(model, client)?.ends === null
}

async function connect (model: Model, world: World, { client: any, route, format, topics, from, n, inQuery }: Connect): Promise<void> {
  const client = any % model.settings.clients
  const { log } = model
  const places = {
    none: null,
    own: world.lastId(client),
    old: log.position(Math.max(0, log.head - n)),
    ahead: log.position(log.head + 1 + n),
    foreign: `gone:${n}`,
    malformed: MALFORMED[n % MALFORMED.length] as string
  }
  const said = places[from]
  const { now } = world.time
  const expected = model.answer(client, topics, format)
  const wire = world.connect(client, route, format, topics, said, inQuery)
  await world.time.settle()
  equal(wire.reading.status, expected, `what client ${client} is answered`)
  world.note(`answered ${expected}`)
  if (expected >= 400) {
    wire.leave(true)
    return
  }
  const open = model.connect(client, route, format, topics, said, now)
  wire.connection = world.opened.shift() ?? null
  world.wires.set(open.n, wire)
  deepEqual(world.opened, [], 'one has opened')
}

function leave (model: Model, world: World, { client, how }: { client: number, how: string }): void {
  const open = openOf(model, client)
  const wire = wireOf(world, open)
  if (how === 'vanish') {
    // Nothing says so to the server; the client comes back by another way.
    world.remember(wire)
    wire.vanish()
    model.current.delete(open.client)
  } else {
    wire.leave(how === 'end')
    model.end(open, 'client', world.time.now)
  }
}

function publish (model: Model, world: World, publications: readonly Publication[]): void {
  for (const { topic, size, isWide, except: any } of publications) {
    const except = any === null ? undefined : nameOf(any % model.settings.clients)
    const data = `${topic}${model.log.head + 1} ${(isWide ? 'ü' : 'x').repeat(size)}`
    const entry = model.publish(topic, data, except, world.time.now)
    equal(world.server.topics.publish(topic, data, { except }), entry.id)
  }
}

// A client stalls, reads again after this, and is where it was, or is told that it is not.
async function overrun (model: Model, world: World, { client, publications }: { client: number, publications: Publication[] }): Promise<void> {
  const open = openOf(model, client)
  wireOf(world, open).stall()
  for (const publication of publications) {
    publish(model, world, [publication])
    await world.settle()
    agree(model, world)
  }
  if (!open.hasClosed) wireOf(world, open).resume()
}

// In one tick with what is published before and after it.
function change (model: Model, world: World, { client, before, what, topics, size, after }: Change): void {
  publish(model, world, before)
  const open = openOf(model, client)
  const connection = connectionOf(world, open)
  const { now } = world.time
  if (what === 'subscribe' && !model.may(open.client, topics)) {
    throws(() => { connection.subscribe(topics) }, { code: 'PST_ERR_FORBIDDEN' })
  } else if (what === 'subscribe') {
    connection.subscribe(topics)
    if (open.placedAt !== Infinity) {
      hasAll(model, world, open)
      place(model, world, open)
    }
    model.subscribe(open, topics, now)
  } else if (what === 'unsubscribe') {
    connection.unsubscribe(topics)
    hasAll(model, world, open)
    model.unsubscribe(open, topics)
    place(model, world, open)
  } else if (what === 'close') {
    connection.close()
    hasAll(model, world, open)
    end(model, world, open, 'server')
  } else if (what === 'destroy') {
    connection.destroy()
    end(model, world, open, 'server')
  } else if (what === 'cut') {
    world.cut(connection)
    end(model, world, open, 'error')
  } else {
    const data = `direct ${'x'.repeat(size)}`
    const isFull = connection.queued > model.settings.maxBuffered
    void connection.event(data)
    if (isFull) end(model, world, open, 'overflow')
    else open.direct.push(data)
  }
  publish(model, world, after)
}

// What was published before a change is given before it, to a client that reads.
function hasAll (model: Model, world: World, open: Open): void {
  compare(model, world, open)
  if (wireOf(world, open).isReading) deepEqual(open.coming, [], 'what was published before is given before')
}

function end (model: Model, world: World, open: Open, reason: CloseReason): void {
  compare(model, world, open)
  open.coming = []
  open.direct = []
  model.end(open, reason, world.time.now)
}

// The first reason has won.
function endAgain (model: Model, world: World, { client, what }: { client: number, what: string }): void {
  const connection = connectionOf(world, openOf(model, client))
  if (what === 'close') connection.close('error')
  else if (what === 'destroy') connection.destroy('error')
  else connection.expire(Date.now())
}

async function allow (model: Model, world: World, { client: any, topic, may, isAll }: { client: number, topic: string, may: boolean, isAll: boolean }): Promise<void> {
  const current = openOf(model, any)
  const { client } = current
  if (may) model.forbidden.delete(`${client} ${topic}`)
  else model.forbidden.add(`${client} ${topic}`)
  await world.time.await(world.server.topics.reauthorize(isAll ? undefined : connectionOf(world, current)))
  for (const open of isAll ? model.open : [current]) {
    if (open.ends === null && !model.may(open.client, open.topics)) end(model, world, open, 'expired')
  }
}

function expire (model: Model, world: World, { client, ms }: { client: number, ms: number }): void {
  const open = openOf(model, client)
  open.expiresAt = Math.min(open.expiresAt, world.time.now + ms)
  connectionOf(world, open).expire(Date.now() + ms)
  if (ms === 0) end(model, world, open, 'expired')
}

// Nothing is left of one life; in the next, the clients that were there come back.
async function restart (model: Model, world: World): Promise<void> {
  const { settings } = model
  const there = [...model.current.values()]
  const { now } = world.time
  const most = model.open.every((open) => wireOf(world, open).isReading) ? SECOND / 10 : settings.drain + SECOND
  for (const open of model.open) end(model, world, open, 'shutdown')
  world.note('restarted')
  await world.time.await(world.server.close())
  ok(world.time.now - now <= most, `it took ${world.time.now - now} ms to shut down`)
  agree(model, world)
  deepEqual(model.open, [], 'who is still there after the shutdown')
  equal(world.time.timers.size, 0, 'timers that outlive the app')
  await world.start((client, topic) => !model.may(client, [topic]))
  model.begin(world.log.epoch)
  for (const { client, route, format, topics } of there) {
    await connect(model, world, { client, route, format, topics: [...topics], from: 'own', n: 0, inQuery: false })
  }
}
