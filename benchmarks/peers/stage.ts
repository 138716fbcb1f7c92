/** One run: a fresh server of a peer and fresh clients, each on a core of its own where that can be, and what the run has cost. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Child } from '../child.ts'
import { Machine } from '../machine.ts'
import type { Reading } from './clients.ts'
import type { Publication } from './serve.ts'

/** What a test finds: by event or connection (`cpu`, µs; `rate`, 1/s), ms (`p50`, `p99`), bytes (`memory`), or a number of connections (`left`). */
export type Figure = 'cpu' | 'rate' | 'p50' | 'p99' | 'memory' | 'left'
export type Figures = Partial<Record<Figure, number>>

/** So that a run does not count: an event is missing, or there is another fault. */
export class Invalid extends Error {}

// A question that takes no time, and one that takes as long as a test.
const SOON = 20_000
const LATE = 120_000

export class Stage {
  readonly server: Child
  /** ms without an event, after which the rest is taken for lost. */
  readonly patience: number
  /** Cores that were taken by others while it was measured. */
  others = NaN
  #clients: Child | undefined

  constructor (program: string, patience = 5_000) {
    this.patience = patience
    this.server = new Child(program, [], ['--expose-gc', '--no-warnings'], CORES === null ? [] : ['taskset', '-c', CORES.server])
  }

  /** Questions for the clients. */
  async clients<Answer> (question: string, ...args: unknown[]): Promise<Answer> {
    this.#clients ??= await this.#startClients()
    return await this.#clients.ask<Answer>(question, LATE, ...args)
  }

  async ask<Answer> (question: string, ...args: unknown[]): Promise<Answer> {
    return await this.server.ask<Answer>(question, LATE, ...args)
  }

  /** Publishes, and waits until each subscriber has had so many events. Answers when it began, ns, and what the clients have seen. */
  async publish (publication: Publication, subscribers: number, events: number): Promise<{ began: number, reading: Reading }> {
    const [began, reading] = await Promise.all([
      this.ask<number>('publish', publication),
      this.clients<Reading>('until', events * subscribers, this.patience)
    ])
    check(reading, events * subscribers)
    return { began, reading }
  }

  /** Does something, and tells what the server's CPU had of it, µs. */
  async measure<Answer> (task: () => Promise<Answer>): Promise<{ answer: Answer, cpu: number, began: number }> {
    this.#clients ??= await this.#startClients()
    const began = await this.ask<number>('mark')
    const machine = new Machine([this.server.pid, this.#clients.pid])
    const answer = await task()
    const cpu = await this.ask<number>('cpu')
    this.others = machine.others
    return { answer, cpu, began }
  }

  async stop (): Promise<void> {
    await Promise.all([this.server.stop(), this.#clients?.stop()])
  }

  async #startClients (): Promise<Child> {
    const port = await this.server.ask<number>('port', SOON)
    return new Child('peers/clients', [String(port)], [], CORES === null ? [] : ['taskset', '-c', CORES.clients])
  }
}

/** A run with a loss, with something twice, or out of order counts for nothing. */
export function check ({ events, faults }: Reading, expected: number): void {
  if (events !== expected || faults.length > 0) throw new Invalid(`${events} events came of ${expected}${faults.length > 0 ? `; ${faults.join(', ')}` : ''}`)
}

/** The first and the last of the cores that this process may use; null without taskset, or with one core. */
export const CORES: { server: string, clients: string } | null = coresOf()

function coresOf (): { server: string, clients: string } | null {
  if (spawnSync('taskset', ['-V']).status !== 0) return null
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]?.match(/\d+/g) ?? []
  const [server, clients] = [allowed[0], allowed.at(-1)]
  return server === undefined || clients === undefined || server === clients ? null : { server, clients }
}
