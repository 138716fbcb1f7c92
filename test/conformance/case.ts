/** A case: what is served, how a client is taken through it, and what comes of that, everywhere or where somebody differs. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type { Connection } from '../../index.ts'
import { type Server, type ServerOptions, start } from '../support/server.ts'
import { type Client, type ClientName, PAGE, type Source } from './client.ts'
import type { OpenOptions, Told } from './record.ts'

/** A section of https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface Section {
  title: string
  cases: readonly Case[]
}

export interface Case {
  /** A sentence, as of a test. */
  name: string
  /** Why it needs a page: then no client in Node is asked. */
  pagesOnly?: string
  /** Routes below the case's own prefix, where every request is noted. Absent: it starts a server of its own. */
  serve?: (app: FastifyInstance) => unknown
  /** What comes of it, as JSON. */
  play: (scene: Scene) => Promise<unknown>
  wants: unknown
  /** Who differs, why, and what comes of it there. */
  deviations?: Deviations
}

export type Deviations = Partial<Record<ClientName, { because: string, gives: unknown }>>

export interface Scene {
  readonly t: Test
  readonly client: Client
  /** The app of all cases that have none of their own. */
  readonly app: FastifyInstance
  /** Where the case's routes are: `http://127.0.0.1:1234/17`. */
  readonly base: string
  /** Those for the case's routes, in the order in which they came. */
  readonly requests: FastifyRequest[]
  open: (path?: string, options?: OpenOptions) => Promise<Source>
}

/** What an event is to who reads it. */
export type Seen = [type: string, data: string, lastEventId: string]

export const message = (data: string, lastEventId = ''): Seen => ['message', data, lastEventId]

export const events = (told: readonly Told[]): Seen[] => told.filter(({ data }) => data !== undefined).map(({ type, data, lastEventId }) => [type, data as string, lastEventId as string])

/** The changes of its state, such as `['open', 'error 0', 'open', 'error 2']`. */
export const states = (told: readonly Told[]): string[] => told.filter(({ data }) => data === undefined).map(({ type, readyState }) => type === 'open' ? type : `${type} ${readyState}`)

/** What ends most cases. */
export const END = 'event: end\ndata:\n\n'

/** What comes ahead of the first `end`, or until it ends for good. */
export async function toEnd (source: Source): Promise<Told[]> {
  await source.over()
  await source.close()
  const told = await source.told()
  const end = told.findIndex(({ type }) => type === 'end')
  return end === -1 ? told : told.slice(0, end)
}

type Answer = (reply: FastifyReply, request: FastifyRequest) => unknown

/** One answer after the other at `/`, then 204. */
export function answers (...all: readonly Answer[]): (app: FastifyInstance) => void {
  return (app) => {
    let count = 0
    app.stream('/', (request, reply) => {
      const answer = all[count++]
      return answer === undefined ? reply.code(204).send() : answer(reply, request)
    })
  }
}

/** An answer: these bytes and no others, one chunk after the other, and then it stays open. */
export function bytes (...chunks: ReadonlyArray<string | Uint8Array>): Answer {
  return async (reply) => {
    for (const chunk of chunks) {
      await reply.chunk(chunk)
      await new Promise(setImmediate)   // what is sent in one tick is one chunk
    }
  }
}

/** The stream that opened last. */
export const newest = (app: FastifyInstance): Connection => [...app.connections].at(-1) as Connection

export const bytewise = (text: string | Uint8Array): Uint8Array[] => [...Buffer.from(text)].map((byte) => Uint8Array.of(byte))

export const andClose = (answer: Answer): Answer => async (reply, request) => {
  await answer(reply, request)
  reply.closeChunk()
}

/** Bytes that are read so, and types beside `message` to listen for. */
export function reads (name: string, chunks: string | ReadonlyArray<string | Uint8Array>, wants: readonly Seen[], { types, deviations }: { types?: readonly string[], deviations?: Record<string, { because: string, gives: readonly Seen[] }> } = {}): Case {
  return {
    name,
    serve: answers(bytes(...typeof chunks === 'string' ? [chunks] : chunks, END)),
    play: async ({ open }) => events(await toEnd(await open('/', { ...types && { types } }))),
    wants,
    ...deviations && { deviations }
  }
}

/** A server of the case's own, with the page that the client then visits. */
export async function ownServer ({ t, client }: Scene, setup: (app: FastifyInstance) => unknown, options: ServerOptions = {}, port = 0): Promise<Server> {
  const server = await start(t, (app) => {
    app.get('/page', async (_request, reply) => await reply.type('text/html').send(PAGE))
    return setup(app)
  }, options, port)
  await client.visit(server.origin)
  return server
}
