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

  /** Resolves with the connection that opened as number `nth`, from 0. */
  async open (nth = 0): Promise<Connection> {
    return await until(() => this.opened[nth], `connection ${nth} is open`)
  }

  /** Resolves when all that opened have closed; fails the test unless each did so once, with this reason everywhere. */
  async sees (t: Test, reason: CloseReason): Promise<void> {
    await until(() => this.opened.length > 0 && this.closed.length >= this.opened.length, `the registry reports a close (${reason})`)
    t.same(this.closed.map((ending) => ending.reason), this.opened.map(() => reason), `the registry says "${reason}", once`)
    for (const connection of this.opened) {
      t.equal(await connection.closed, reason, 'so does the promise')
      t.ok(connection.signal.aborted, 'the signal is aborted')
      t.equal(connection.signal.reason, reason, 'with the reason')
      t.equal(connection.phase, 'closed')
      t.equal(connection.chunk('late'), false, 'and sends answer false')
      t.equal(this.#app.connections.get(connection.id), undefined, 'the registry has forgotten it')
    }
    t.equal(this.#app.connections.counts[reason], this.opened.length, 'it is counted')
  }
}
