/** An app with the inspector, and a page's stream without the page. */
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import inspector, { type InspectorOptions } from '../../routes/inspector/index.ts'
import { type Server, type ServerOptions, start } from './server.ts'
import { subscribe, type SubscriberOptions, type Subscriber } from './subscriber.ts'
import { until } from './until.ts'

export type Fields = Record<string, unknown>

export interface Inspected extends Server {
  /** What the inspector answers to a GET, as JSON. */
  get: (path: string) => Promise<Fields>
  /** What it answers to its page's POST. */
  post: (path: string, payload: unknown, headers?: Fields) => Promise<{ status: number, body: Fields }>
}

/** At `/inspector`, for everybody unless the options say otherwise. */
export async function startInspected (t: Test, setup: (app: FastifyInstance) => unknown, options: InspectorOptions = { insecure: true, interval: 100 }, serverOptions: ServerOptions = {}, port = 0): Promise<Inspected> {
  const server = await start(t, async (app) => {
    await setup(app)
    await app.register(inspector, { prefix: '/inspector', ...options })
  }, serverOptions, port)
  const { app } = server
  const get = async (path: string) => (await app.inject(`/inspector${path}`)).json() as Fields
  const post = async (path: string, payload: unknown, headers: Fields = {}) => {
    const answer = await app.inject({ method: 'POST', url: `/inspector${path}`, payload, headers: { 'content-type': 'application/json', ...headers } } as InjectOptions)
    return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() as Fields }
  }
  return { ...server, get, post }
}

/** A page's stream. */
export class Viewer {
  readonly stream: Subscriber

  constructor (stream: Subscriber) {
    this.stream = stream
  }

  get hello (): Fields {
    return this.#of('hello')[0] as Fields
  }

  get looks (): Fields[] {
    return this.#of('look')
  }

  get points (): Fields[] {
    return this.looks.map(({ point }) => point as Fields)
  }

  /** Resolves with a look that is like this. */
  async sees (what: string, isIt: (look: Fields, point: Fields) => boolean): Promise<Fields> {
    return await until(() => this.looks.find((look) => isIt(look, look['point'] as Fields)), what)
  }

  #of (type: string): Fields[] {
    return this.stream.events.filter(({ event }) => event === type).map(({ data }) => JSON.parse(data) as Fields)
  }
}

export async function look (t: Test, { origin }: { origin: string }, options?: SubscriberOptions): Promise<Viewer> {
  const viewer = new Viewer(await subscribe(t, origin, '/inspector/look', options))
  await until(() => viewer.hello !== undefined, 'the page is greeted')
  return viewer
}
