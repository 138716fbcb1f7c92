/** Programs in processes of their own, which answer questions and are sure to end. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export class Child {
  readonly #process: ChildProcess

  /**
   * @param program its file in this folder, without the extension
   * @param through a command that becomes Node, whose path and arguments follow
   */
  constructor (program: string, args: string[] = [], execArgv: string[] = [], through: readonly string[] = []) {
    const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url))
    const [execPath = process.execPath, ...rest] = [...through, process.execPath]
    this.#process = fork(file, args, { execPath, execArgv: [...rest, ...execArgv], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  get pid (): number {
    return this.#process.pid as number
  }

  /**
   * One question at a time.
   * @param limit ms
   * @param args what JSON can say
   */
  async ask<Answer> (question: string, limit: number, ...args: unknown[]): Promise<Answer> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(limit)])
    const gone = once(this.#process, 'exit', { signal }).then(([code, by]) => { throw new Error(`it ended with ${code ?? by}`) })
    try {
      this.#process.send({ question, args })
      const [answer] = await Promise.race([once(this.#process, 'message', { signal }), gone]) as [Answer]
      return answer
    } catch (cause) {
      throw new Error(`process ${this.pid} has no answer to "${question}" within ${limit} ms`, { cause })
    } finally {
      over.abort()
      gone.catch(() => {})
    }
  }

  /**
   * Tells it to end, as an orchestrator does. Resolves when it has, with its exit code, or the signal that ended it, and the last that it said.
   * @param limit ms
   */
  async terminate<Last> (limit: number): Promise<{ code: number | NodeJS.Signals, last: Last | undefined }> {
    let last: Last | undefined
    this.#process.on('message', (message) => { last = message as Last })
    const exit = once(this.#process, 'exit', { signal: AbortSignal.timeout(limit) })
    this.#process.kill('SIGTERM')
    const [code, by] = await exit as [number | null, NodeJS.Signals]
    return { code: code ?? by, last }
  }

  async stop (): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}

/** In the child: how to answer each question. It ends with its parent, or after `lifetime` ms. */
export function answer (answers: Record<string, (...args: never[]) => unknown>, lifetime: number): void {
  process.on('message', ({ question, args }: { question: string, args: never[] }) => {
    void Promise.resolve(answers[question]?.(...args)).then((found) => { process.send?.(found ?? null) })
  })
  process.on('disconnect', () => { process.exit() })
  setTimeout(() => { process.exit(2) }, lifetime).unref()
}
