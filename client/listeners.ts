/** Who is told of events, by their type. One that fails keeps neither the others nor the stream from going on. */

type Listener = (event: never) => void

export class Listeners {
  readonly #byType = new Map<string, Listener[]>()
  readonly #report: (error: unknown) => void

  constructor (report: (error: unknown) => void) {
    this.#report = report
  }

  get isEmpty (): boolean {
    return this.#byType.size === 0
  }

  add (type: string, listener: Listener): void {
    this.#byType.set(type, [...this.#byType.get(type) ?? [], listener])
  }

  remove (type: string, listener: Listener): void {
    const rest = this.#byType.get(type)?.filter((known) => known !== listener) ?? []
    if (rest.length > 0) this.#byType.set(type, rest)
    else this.#byType.delete(type)
  }

  tell (type: string, event: unknown): void {
    for (const listener of this.#byType.get(type) ?? []) this.call(() => listener(event as never))
  }

  /** Calls what is the user's. */
  call (run: () => unknown): void {
    try {
      const result = run()
      if (result instanceof Promise) result.catch(this.#report)
    } catch (error) {
      this.#report(error)
    }
  }
}

/** To who wants to know; else as an error that nobody caught. */
export function reporter (onError: ((error: unknown) => void) | undefined): (error: unknown) => void {
  const uncaught = (globalThis as { reportError?: (error: unknown) => void }).reportError ?? ((error) => { queueMicrotask(() => { throw error }) })
  if (onError === undefined) return uncaught
  return (error) => {
    try {
      onError(error)
    } catch (failure) {
      uncaught(failure)
    }
  }
}
