/** Web Locks within this process, as a browser has them for the tabs of an origin. */
import type { LockManager } from '../../client/tabs.ts'

interface Request { name: string, run: () => Promise<void>, done: (error?: unknown) => void }

export class Locks implements LockManager {
  readonly #held = new Map<string, Request>()
  #queue: Request[] = []

  async request (name: string, { signal, steal = false }: { signal?: AbortSignal, steal?: boolean }, granted: () => Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const request: Request = { name, run: granted, done: (error) => { error === undefined ? resolve() : reject(error) } }
      signal?.addEventListener('abort', () => {
        if (!this.#queue.includes(request)) return
        this.#queue = this.#queue.filter((waiting) => waiting !== request)
        reject(signal.reason)
      })
      if (steal) {
        this.#held.get(name)?.done(new DOMException('stolen', 'AbortError'))
        this.#held.delete(name)
        this.#queue.unshift(request)
      } else {
        this.#queue.push(request)
      }
      this.#grant(name)
    })
  }

  // [spec] what is granted runs in a task of its own.
  #grant (name: string): void {
    const next = this.#queue.find((request) => request.name === name)
    if (next === undefined || this.#held.has(name)) return
    this.#queue = this.#queue.filter((waiting) => waiting !== next)
    this.#held.set(name, next)
    setImmediate(() => {
      void next.run().finally(() => {
        next.done()
        if (this.#held.get(name) !== next) return
        this.#held.delete(name)
        this.#grant(name)
      })
    })
  }
}

/** Gives this process locks, new ones unless they are given. */
export function installLocks (locks: LockManager = new Locks()): LockManager {
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true })
  return locks
}
