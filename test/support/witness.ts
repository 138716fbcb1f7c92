/** Watches a registry: who opened, who closed and why, and whether every way of being told agrees. */
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { CloseReason, Connection } from '../../index.ts'
import { until } from './until.ts'

export interface Ending {
  connection: Connection
  reason: CloseReason
}

export class Witness {
  readonly opened: Connection[] = []
  readonly closed: Ending[] = []
  readonly #app: FastifyInstance

  constructor (app: FastifyInstance) {
    this.#app = app
    app.connections.on('open', (connection) => { this.opened.push(connection) })
    app.connections.on('close', (connection, reason) => { this.closed.push({ connection, reason }) })
  }

  /** Why each has closed that has, in the order of opening. */
  get reasons (): CloseReason[] {
    const found = new Map(this.closed.map(({ connection, reason }) => [connection, reason]))
    return this.opened.flatMap((connection) => found.get(connection) ?? [])
  }

  /** Resolves with the connection that opened as number `nth`, from 0. */
  async open (nth = 0): Promise<Connection> {
    return await until(() => this.opened[nth], `connection ${nth} is open`)
  }

  /** Resolves when all that opened have closed; fails the test unless each did so once, with this reason everywhere. */
  async sees (t: Test, reason: CloseReason): Promise<void> {
    await until(() => this.opened.length > 0 && this.closed.length >= this.opened.length, `the registry reports a close (${reason})`)
    t.same(this.closed.map((ending) => ending.reason), this.opened.map(() => reason), `the registry says "${reason}", once`)
    await this.#agree(t)
    t.equal(this.#app.connections.counts[reason], this.opened.length, 'it is counted')
  }

  /** The same where reasons differ, in the order of opening. */
  async seesEach (t: Test, reasons: readonly CloseReason[]): Promise<void> {
    await until(() => this.closed.length >= reasons.length, `the registry reports ${reasons.length} closes, not ${JSON.stringify(this.closed.map(({ reason }) => reason))}`)
    const told = this.opened.map((opened) => this.closed.filter(({ connection }) => connection === opened).map(({ reason }) => reason))
    t.same(told, reasons.map((reason) => [reason]), 'the registry says so, once each')
    await this.#agree(t)
  }

  // Whoever is asked says what the registry has said.
  async #agree (t: Test): Promise<void> {
    const said = this.closed.map(async ({ connection }) => ({
      promise: await connection.closed,
      signal: connection.signal.aborted,
      why: connection.signal.reason,
      phase: connection.phase,
      send: connection.chunk('late'),
      known: this.#app.connections.get(connection.id) !== undefined
    }))
    const expected = this.closed.map(({ reason }) => ({ promise: reason, signal: true, why: reason, phase: 'closed', send: false, known: false }))
    t.same(await Promise.all(said), expected, 'promise, signal and phase say the same, sends answer false, and the registry has forgotten it')
  }
}
