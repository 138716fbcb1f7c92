/** The open connections: who is there, who came, who went and why. */
import { EventEmitter } from 'node:events'
import type { SendOptions, Sends, SendTarget } from '../cluster/sends.ts'
import { closed, opened } from '../diagnostics.ts'
import { tell } from '../tell.ts'
import type { Connection } from './connection.ts'
import type { Log } from './host.ts'
import { CLOSE_REASONS, type CloseReason } from './reasons.ts'

/** What the registry emits. */
export interface RegistryEvents {
  /** A response was taken over. */
  open: [connection: Connection]
  /** The connection has ended: exactly once for each `open`. */
  close: [connection: Connection, reason: CloseReason]
}

/** The open connections, iterable in the order in which they opened. */
export class Registry extends EventEmitter<RegistryEvents> {
  readonly #log: Log
  // A Map iterates in the order in which the connections opened, also while some leave.
  readonly #byId = new Map<string, Connection>()
  // Those whose response is not taken over yet.
  readonly #opening = new Set<Connection>()
  readonly #byName = new Map<string, Set<Connection>>()
  readonly #counts = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Record<CloseReason, number>

  #emptied = () => {}
  #sends: Sends | null = null

  constructor (log: Log) {
    super()
    this.#log = log
  }

  /** How many are open. */
  get size (): number {
    return this.#byId.size
  }

  /** How many connections have ended, by reason. */
  get counts (): Readonly<Record<CloseReason, number>> {
    return { ...this.#counts }
  }

  /** In the order in which they opened. */
  [Symbol.iterator] (): IterableIterator<Connection> {
    return this.#byId.values()
  }

  /** The one with this id, while it is open. */
  get (id: string): Connection | undefined {
    return this.#byId.get(id)
  }

  /** All connections with this name, in the order in which they got it. */
  named (name: string): Connection[] {
    return [...this.#byName.get(name) ?? []]
  }

  /**
   * Sends an event to the connection with this id, or to all with this name, on whichever node they are. It is in no log: who
   * is away misses it.
   * @param data text goes out verbatim, everything else as JSON
   * @returns whether at least one has taken it; rejects with PST_ERR_SEND if that is not known within `timeout`
   * @throws PST_ERR_ARGUMENT, PST_ERR_DATA, PST_ERR_FIELD; nothing is sent then
   */
  send (to: SendTarget, data: unknown, options?: SendOptions): Promise<boolean> {
    return (this.#sends as Sends).send(to, data, options)
  }

  /** @internal */
  sendBy (sends: Sends): void {
    this.#sends = sends
  }

  /** @internal Resolves when nobody is left, nor about to open. */
  async empty (): Promise<void> {
    if (this.#isEmpty) return
    await new Promise<void>((resolve) => { this.#emptied = resolve })
  }

  /** @internal In the order in which they were asked for. */
  get opening (): Iterable<Connection> {
    return this.#opening
  }

  /** @internal The connection is about to open. */
  expect (connection: Connection): void {
    this.#opening.add(connection)
  }

  /** @internal It will not open. */
  giveUp (connection: Connection): void {
    this.#opening.delete(connection)
    if (this.#isEmpty) this.#emptied()
  }

  /** @internal */
  add (connection: Connection): void {
    this.#opening.delete(connection)
    this.#byId.set(connection.id, connection)
    this.#addName(connection)
    if (opened.hasSubscribers) opened.publish({ connections: this, connection })
    this.#tell('open', connection)
  }

  /** @internal */
  remove (connection: Connection, reason: CloseReason): void {
    this.#byId.delete(connection.id)
    this.#removeName(connection, connection.name)
    this.#counts[reason]++
    if (closed.hasSubscribers) closed.publish({ connections: this, connection, reason })
    this.#tell('close', connection, reason)
    if (this.#isEmpty) this.#emptied()
  }

  /** @internal The name of a connection changed. */
  rename (connection: Connection, before: string | null): void {
    if (!this.#byId.has(connection.id)) return
    this.#removeName(connection, before)
    this.#addName(connection)
  }

  get #isEmpty (): boolean {
    return this.#byId.size + this.#opening.size === 0
  }

  #addName (connection: Connection): void {
    const { name } = connection
    if (name === null) return
    const sharers = this.#byName.get(name)
    if (sharers === undefined) this.#byName.set(name, new Set([connection]))
    else sharers.add(connection)
  }

  #removeName (connection: Connection, name: string | null): void {
    if (name === null) return
    const sharers = this.#byName.get(name)
    if (sharers?.delete(connection) === true && sharers.size === 0) this.#byName.delete(name)
  }

  #tell (event: keyof RegistryEvents, ...args: unknown[]): void {
    if (this.listenerCount(event) !== 0) tell(this, event, args, this.#log)
  }
}
