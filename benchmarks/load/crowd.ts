/** Clients in as many processes as their descriptors need: a process may have 20,000. */
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../child.ts'
import { sumOf } from './counts.ts'
import type { ClientsSettings, Reading } from './clients.ts'

const PER_PROCESS = 10_000

// For an answer, which a busy machine may let wait, and for a condition that is to come about, ms.
const ANSWER = 30_000
const ENTRY = 120_000
const PATIENCE = 30_000

const DEFAULTS: Omit<ClientsSettings, 'port' | 'count' | 'lifetime'> = { path: '/', returns: false, retry: 3_000, stalls: false, atOnce: 200 }

export class Crowd {
  readonly #processes: readonly Child[]

  constructor (settings: Partial<ClientsSettings> & Pick<ClientsSettings, 'port' | 'count' | 'lifetime'>) {
    const processes = Math.ceil(settings.count / PER_PROCESS)
    this.#processes = Array.from({ length: processes }, (_, i) => {
      const count = Math.floor((settings.count + i) / processes)
      return new Child('load/clients', [JSON.stringify({ ...DEFAULTS, ...settings, count })])
    })
  }

  get pids (): number[] {
    return this.#processes.map(({ pid }) => pid)
  }

  /** Resolves when each has begun its stream. */
  async enter (): Promise<void> {
    await this.#ask('enter', ENTRY)
  }

  async mark (): Promise<void> {
    await this.#ask('mark')
  }

  /** Those that have stalled read on. */
  async goOn (): Promise<void> {
    await this.#ask('goOn')
  }

  async read (): Promise<Reading> {
    return (await this.#ask<Reading>('read')).reduce(merge)
  }

  /** Resolves with what they have seen once that is so, or when it is too late. */
  async until (condition: (reading: Reading) => boolean, patience = PATIENCE): Promise<Reading> {
    const deadline = performance.now() + patience
    for (;;) {
      const reading = await this.read()
      if (condition(reading) || performance.now() > deadline) return reading
      await delay(50)
    }
  }

  /** Resolves when all sockets have closed on their side. */
  async leave (): Promise<void> {
    await this.#ask('leave')
  }

  async stop (): Promise<void> {
    await Promise.all(this.#processes.map((child) => child.stop()))
  }

  async #ask<Answer> (question: string, limit = ANSWER): Promise<Answer[]> {
    return await Promise.all(this.#processes.map((child) => child.ask<Answer>(question, limit)))
  }
}

function merge (some: Reading, others: Reading): Reading {
  return {
    clients: some.clients + others.clients,
    open: some.open + others.open,
    opened: some.opened + others.opened,
    ends: {
      proper: some.ends.proper + others.ends.proper,
      cut: some.ends.cut + others.ends.cut,
      refused: some.ends.refused + others.ends.refused,
      statuses: sumOf(some.ends.statuses, others.ends.statuses)
    },
    events: some.events + others.events,
    last: Math.min(some.last, others.last),
    gaps: sumOf(some.gaps, others.gaps),
    faults: [...some.faults, ...others.faults],
    told: some.told + others.told,
    toldLeast: Math.min(some.toldLeast, others.toldLeast),
    toldMost: Math.max(some.toldMost, others.toldMost),
    silence: Math.max(some.silence, others.silence),
    fewest: Math.min(some.fewest, others.fewest),
    most: Math.max(some.most, others.most),
    asleep: Math.max(some.asleep, others.asleep)
  }
}
