/** Tells listeners of an event, so that one that fails keeps neither the others nor what happened from going on. */
import type { Log } from './connection/host.ts'

interface Emitter<Event> { rawListeners: (event: Event) => Array<(...args: never[]) => unknown> }

/** `emit`, but what a listener throws, or rejects with, is logged. */
export function tell<Event extends string> (emitter: Emitter<Event>, event: Event, args: readonly unknown[], log: Log): void {
  const blame = (err: unknown) => { log.error({ err }, `a listener of "${event}" failed`) }
  for (const listener of emitter.rawListeners(event)) {
    try {
      const result: unknown = Reflect.apply(listener, emitter, args)
      if (result instanceof Promise) result.catch(blame)
    } catch (err) {
      blame(err)
    }
  }
}
