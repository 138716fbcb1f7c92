/** The server under load, as the program sees it that puts it there. */
import { Child } from '../child.ts'
import type { Remains } from '../remains.ts'
import type { Counts } from './counts.ts'
import type { Figures, ServerSettings } from './server.ts'

// For an answer, which a busy machine may let wait, and for one that means much work, ms.
const ANSWER = 30_000
const LONG = 120_000

const DEFAULTS: Omit<ServerSettings, 'lifetime'> = { port: 0, options: {}, memory: null, redis: null, first: 0, sleep: 0, large: 0 }

export class ServerProcess {
  readonly #child: Child

  constructor (settings: Partial<ServerSettings> & Pick<ServerSettings, 'lifetime'>) {
    this.#child = new Child('load/server', [JSON.stringify({ ...DEFAULTS, ...settings })], ['--expose-gc'])
  }

  get pid (): number {
    return this.#child.pid
  }

  /** Resolves with its port, once it has it. */
  async listen (): Promise<number> {
    return await this.#child.ask<number>('listen', LONG)
  }

  async figures (): Promise<Figures> {
    return await this.#child.ask<Figures>('figures', ANSWER)
  }

  /** From now on it counts. */
  async mark (): Promise<void> {
    await this.#child.ask('mark', ANSWER)
  }

  /** It does nothing else for as long as its settings say. */
  async sleep (): Promise<void> {
    await this.#child.ask('sleep', LONG)
  }

  /** What it has when all connections have gone. */
  async remains (): Promise<Remains> {
    return await this.#child.ask<Remains>('remains', ANSWER)
  }

  /** SIGTERM. Resolves when it has ended, with its exit code, and how its streams ended. */
  async terminate (): Promise<{ code: number | NodeJS.Signals, reasons: Counts }> {
    const { code, last = {} } = await this.#child.terminate<Counts>(LONG)
    return { code, reasons: last }
  }

  async stop (): Promise<void> {
    await this.#child.stop()
  }
}
