/** What the servers of all peers do alike: they publish when they are told to, and say what it cost. Only how an event gets to its subscribers differs. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Writable } from 'node:stream'
import { answer } from '../child.ts'
import { counted, numbered } from '../numbered.ts'

/** What a peer has to say of itself. Its paths are `/stream`, which says HELLO and then what is published, and `/tokens`, of a `TokensQuery`. */
export interface Serving<Subscriber> {
  /** Listens, or is about to. */
  server: Server
  subscribers: Iterable<Subscriber> & { readonly size: number }
  /** Gives an event to all subscribers; a promise where the library tells when it can be given the next one. */
  broadcast: (text: string) => unknown
  /** Where it does not tell: resolves when this one has room again, undefined if it has. */
  room?: (subscriber: Subscriber) => Promise<unknown> | undefined
}

export interface Publication {
  /** Events, and their size. */
  count: number
  size: number
  /** Events a second, waiting for nobody; 0: as fast as it goes, and none while a subscriber has no room. */
  rate: number
  /** Events in each turn of the event loop, if as fast as it goes. */
  burst: number
}

/** As a query. */
export interface TokensQuery { count?: string, size?: string, tick?: string }

/** The data of the event that a subscriber gets at once: the client knows by it that what is published from then on will come. */
export const HELLO = '{"hello":1}'

/** Of the raw peers; the libraries have their own. */
export const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }

const LIFETIME = 150_000
const SAMPLE_EVERY = 25

/** Answers what the program asks. */
export async function serve<Subscriber> (serving: Serving<Subscriber>): Promise<void> {
  const { server, subscribers } = serving
  let cpu = process.cpuUsage()
  let peak = 0
  let next = 0

  if (!server.listening) await once(server, 'listening')

  answer({
    port: () => (server.address() as AddressInfo).port,
    // Who comes by a Unix socket has smaller buffers in the kernel.
    'listen at': async (path: string) => {
      const door = createServer((socket: Socket) => { server.emit('connection', socket) }).listen(path)
      await once(door, 'listening')
    },
    subscribers: () => subscribers.size,
    publish: async (publication: Publication) => {
      const began = Number(process.hrtime.bigint())
      await (publication.rate === 0 ? flood(serving, publication, next) : feed(serving, publication, next))
      next += publication.count
      return began
    },
    mark: () => {
      cpu = process.cpuUsage()
      return Number(process.hrtime.bigint())
    },
    // µs since the mark, of all threads
    cpu: () => {
      const { user, system } = process.cpuUsage(cpu)
      return user + system
    },
    rss: settledRss,
    watch: () => { setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, SAMPLE_EVERY) },
    peak: () => peak
  }, LIFETIME)
}

/** So many tokens, and with `tick` each in a turn of its own: as a language model would give them. */
export async function * tokens (query: TokensQuery): AsyncGenerator<string> {
  const { count, size, tick } = numbersOf(query)
  for (let n = 0; n < count; n++) {
    yield counted(n, size)
    if (tick === 1) await turn()
  }
}

/** The same where there is no library that takes a generator. */
export async function writeTokens (response: Writable, query: TokensQuery): Promise<void> {
  const { count, size, tick } = numbersOf(query)
  for (let n = 0; n < count && !response.destroyed; n++) {
    if (!response.write(`data: ${counted(n, size)}\n\n`)) await drain(response)
    else if (tick === 1) await turn()
  }
  response.end()
}

export function numbersOf ({ count, size, tick }: TokensQuery): { count: number, size: number, tick: number } {
  return { count: Number(count), size: Number(size), tick: Number(tick) }
}

/** `room` by what Node says of the response. */
export function roomOf (response: Writable): Promise<unknown> | undefined {
  return response.writableNeedDrain ? drain(response) : undefined
}

export function drain (response: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    response.on('drain', settle)
    response.on('close', settle)
  })
}

export function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

async function flood<Subscriber> ({ subscribers, broadcast, room }: Serving<Subscriber>, { count, size, burst }: Publication, first: number): Promise<void> {
  for (let n = 0; n < count;) {
    const told: unknown[] = []
    for (let end = Math.min(count, n + burst); n < end; n++) told.push(broadcast(numbered(first + n, size)))
    await Promise.all(told)
    await turn()
    if (room === undefined) continue
    for (const subscriber of subscribers) {
      const hasRoom = room(subscriber)
      if (hasRoom !== undefined) await hasRoom
    }
  }
}

async function feed<Subscriber> ({ broadcast }: Serving<Subscriber>, { count, size, rate }: Publication, first: number): Promise<void> {
  const began = performance.now()
  for (let n = 0; n < count; n++) {
    const early = began + n * 1_000 / rate - performance.now()
    if (early > 0) await delay(early)
    Promise.resolve(broadcast(numbered(first + n, size))).catch(() => {})
  }
}

async function settledRss (): Promise<number> {
  for (let i = 0; i < 3; i++) {
    global.gc?.()
    await delay(100)
  }
  return process.memoryUsage.rss()
}
