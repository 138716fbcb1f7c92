/** Events to one connection, or to those of one name, wherever they are. */
import type { Connection } from '../connection/connection.ts'
import type { Log as Logger } from '../connection/host.ts'
import { PST_ERR_ARGUMENT, PST_ERR_DATA, PST_ERR_FIELD, PST_ERR_SEND } from '../errors.ts'
import { checkFields, encodeData, type EventFields } from '../wire/event-stream.ts'
import { checkFieldNames } from '../wire/fields.ts'
import type { Cluster } from './cluster.ts'
import { MAX_BODY } from './nodes.ts'

/** A connection by its id, or all that have a name. */
export type SendTarget = { id: string, name?: never } | { name: string, id?: never }

/** What a send to a connection on whichever node takes besides its data. */
export interface SendOptions extends EventFields {
  /** How long the other nodes may take to answer, ms. @default 2000 */
  timeout?: number | undefined
}

interface Ask {
  readonly ask: number
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly data: string
  readonly json: boolean
  readonly event?: string | undefined
  readonly retry?: number | undefined
}

interface Answer { readonly answer: number, readonly taken: boolean }

interface Asked {
  /** Null: nobody is asked yet. */
  waiting: Set<string> | null
  taken: boolean
  /** Whether one that has taken it is all that there can be. */
  readonly isAlone: boolean
  readonly settle: (failure: string | null) => void
}

const TIMEOUT = 2_000
const MAX_TIMEOUT = 2 ** 31 - 1
const OPTIONS = ['event', 'retry', 'timeout']

// Sends that wait for answers.
const MAX_ASKED = 10_000

// What is asked by mistake is told of at most so often, ms.
const REFUSAL_EVERY = 60_000

export class Sends {
  readonly #cluster: Cluster
  readonly #find: { get: (id: string) => Connection | undefined, named: (name: string) => Connection[] }
  readonly #logger: Logger
  readonly #asked = new Map<number, Asked>()
  #number = 0
  #refused = -Infinity

  constructor (cluster: Cluster, find: { get: (id: string) => Connection | undefined, named: (name: string) => Connection[] }, logger: Logger) {
    this.#cluster = cluster
    this.#find = find
    this.#logger = logger
    cluster.listen({
      changed: () => {},
      left: (node) => { for (const asked of [...this.#asked.values()]) this.#heard(asked, node, false) },
      message: (from, body) => { this.#hear(from, body) }
    })
  }

  /** @throws PST_ERR_ARGUMENT, PST_ERR_DATA, PST_ERR_FIELD; the promise rejects with PST_ERR_SEND */
  send (to: SendTarget, data: unknown, options: SendOptions = {}): Promise<boolean> {
    const { id, name } = checkTarget(to)
    const { event, retry, timeout } = checkOptions(options)
    const ask: Ask = { ask: this.#number++, id, name, data: encodeData(data), json: typeof data !== 'string', event, retry }
    const body = JSON.stringify(ask)
    if (Buffer.byteLength(body) > MAX_BODY) throw new PST_ERR_DATA(`it is more than ${MAX_BODY} bytes`)
    const here = this.#connections(ask)
    const taken = give(here, data, { event, retry }, this.#logger)
    return id !== undefined && here.length !== 0 ? Promise.resolve(taken) : this.#ask(ask, body, taken, timeout)
  }

  stop (): void {
    for (const { settle } of [...this.#asked.values()]) settle('the app closes')
  }

  #ask ({ ask: number, id }: Ask, body: string, taken: boolean, timeout: number): Promise<boolean> {
    if (this.#asked.size >= MAX_ASKED) return Promise.reject(new PST_ERR_SEND('too many wait for that already'))
    return new Promise((resolve, reject) => {
      const asked: Asked = {
        waiting: null,
        taken,
        isAlone: id !== undefined,
        settle: (failure) => {
          clearTimeout(timer)
          this.#asked.delete(number)
          if (failure === null) resolve(asked.taken)
          else reject(new PST_ERR_SEND(failure))
        }
      }
      const timer = setTimeout(() => { asked.settle(`${asked.waiting?.size ?? 'some'} of the other nodes did not answer within ${timeout} ms`) }, timeout)
      this.#asked.set(number, asked)
      this.#sendTo(asked, body).catch((err: Error) => { asked.settle(err.message) })
    })
  }

  async #sendTo (asked: Asked, body: string): Promise<void> {
    const own = this.#cluster.use()
    await this.#cluster.ready
    asked.waiting = new Set(own.alive.filter((node) => node !== own.id))
    if (asked.waiting.size === 0) asked.settle(null)
    else await own.send(null, body)
  }

  #heard (asked: Asked, node: string, taken: boolean): void {
    if (asked.waiting?.delete(node) !== true) return
    if (taken) asked.taken = true
    if (asked.waiting.size === 0 || (asked.taken && asked.isAlone)) asked.settle(null)
  }

  #hear (from: string, body: string): void {
    try {
      const message: unknown = Object(JSON.parse(body))
      if (isAnswer(message)) {
        const asked = this.#asked.get(message.answer)
        if (asked !== undefined) this.#heard(asked, from, message.taken)
      } else {
        this.#answer(from, checkAsk(message))
      }
    } catch (err) {
      const now = performance.now()
      if (now - this.#refused < REFUSAL_EVERY) return
      this.#refused = now
      this.#logger.error({ err }, 'what another node sent is no event to a connection')
    }
  }

  #answer (from: string, ask: Ask): void {
    const here = this.#connections(ask)
    const { ask: answer, data, json, event, retry } = ask
    const taken = here.length !== 0 && give(here, json ? JSON.parse(data) : data, { event, retry }, this.#logger)
    // Who gets no answer knows that he knows nothing.
    this.#cluster.use().send(from, JSON.stringify({ answer, taken })).catch(() => {})
  }

  #connections ({ id, name }: Ask): Connection[] {
    if (id === undefined) return this.#find.named(name as string)
    const connection = this.#find.get(id)
    return connection === undefined ? [] : [connection]
  }
}

// One that can't take it keeps it from no other.
function give (connections: readonly Connection[], data: unknown, fields: EventFields, logger: Logger): boolean {
  let taken = false
  for (const connection of connections) {
    try {
      if (connection.event(data, fields) !== false) taken = true
    } catch (err) {
      logger.error({ err, connection: connection.id }, 'an event could not be sent to a connection')
    }
  }
  return taken
}

function checkTarget (to: unknown): { id?: string, name?: string } {
  const { id, name } = Object(to) as Record<string, unknown>
  const isOne = (id === undefined) !== (name === undefined)
  if (!isOne || typeof (id ?? name) !== 'string') throw new PST_ERR_ARGUMENT('send', 'an id or a name, as { id } or { name }', to === null ? 'null' : typeof to)
  return to as { id?: string, name?: string }
}

function checkOptions (options: SendOptions): SendOptions & { timeout: number } {
  checkFieldNames('options', options, OPTIONS)
  const { event, retry, timeout = TIMEOUT } = options
  checkFields({ event, retry })
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > MAX_TIMEOUT) throw new PST_ERR_FIELD('timeout', `an integer of milliseconds from 1 to ${MAX_TIMEOUT}`, String(timeout))
  return { event, retry, timeout }
}

function isAnswer (message: unknown): message is Answer {
  const { answer, taken } = message as Record<string, unknown>
  return typeof answer === 'number' && typeof taken === 'boolean'
}

// Of another version, or of somebody who only looks like a node.
function checkAsk (message: unknown): Ask {
  const { ask, id, name, data, json, event, retry } = message as Record<string, unknown>
  const isAsk = Number.isSafeInteger(ask) && typeof data === 'string' && typeof json === 'boolean' && (typeof id === 'string') !== (typeof name === 'string')
  if (!isAsk) throw new PST_ERR_FIELD('ask', 'there, with all that belongs to it', typeof ask)
  checkFields({ event, retry } as EventFields)
  return message as Ask
}
