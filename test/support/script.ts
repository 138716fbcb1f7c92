/** What feeds a resumable stream in a test: it gives what the test says, when the test says it, and remembers its runs. */
import type { Producer } from '../../index.ts'

type Step = { item: unknown } | { error: Error } | 'end'

export interface ScriptRun extends Producer {
  /** Whether it was told that no more is wanted, or has come to its end. */
  isOver: boolean
}

export class Script {
  readonly runs: ScriptRun[] = []
  readonly #steps: Step[] = []
  #wake: Array<() => void> = []

  give (...items: unknown[]): this {
    return this.#add(...items.map((item) => ({ item })))
  }

  fail (error: Error): this {
    return this.#add({ error })
  }

  end (): this {
    return this.#add('end')
  }

  /** The handler of a route: each run plays the script from its start. */
  get handler (): (request: unknown, reply: unknown, producer: Producer) => AsyncGenerator {
    return (_request, _reply, producer) => this.#play(producer)
  }

  async * #play ({ key, signal }: Producer): AsyncGenerator {
    const run: ScriptRun = { key, signal, isOver: false }
    this.runs.push(run)
    signal.addEventListener('abort', () => { this.#add() }, { once: true })
    try {
      for (let at = 0; ; at++) {
        while (at === this.#steps.length && !signal.aborted) await new Promise<void>((resolve) => { this.#wake.push(resolve) })
        const step = signal.aborted ? 'end' : this.#steps[at] as Step
        if (step === 'end') return
        if ('error' in step) throw step.error
        yield step.item
      }
    } finally {
      run.isOver = true
    }
  }

  #add (...steps: Step[]): this {
    this.#steps.push(...steps)
    for (const wake of this.#wake.splice(0)) wake()
    return this
  }
}
