/** What waits to be done for a membership: one after the other, in order. */
import { Queue } from '../lib/topics/queue.ts'

interface Task {
  /** Never throws, never rejects. */
  run: () => void | Promise<void>
  size: number
}

// What a task weighs besides what came with it, bytes.
const TASK = 100

export class Mailbox {
  readonly #waiting = new Queue<Task>()
  #size = 0
  #isBusy = false

  /** Bytes that wait. */
  get size (): number {
    return this.#size
  }

  /** @param size bytes */
  post (run: Task['run'], size = 0): void {
    this.#waiting.push({ run, size: size + TASK })
    this.#size += size + TASK
    this.#work()
  }

  /** Forgets what waits; what runs goes on. */
  clear (): void {
    while (this.#waiting.shift() !== undefined);
    this.#size = 0
  }

  #work (): void {
    while (!this.#isBusy) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      this.#size -= task.size
      this.#isBusy = true
      const result = task.run()
      if (result instanceof Promise) void result.then(() => { this.#rest() })
      else this.#isBusy = false
    }
  }

  #rest (): void {
    this.#isBusy = false
    this.#work()
  }
}
