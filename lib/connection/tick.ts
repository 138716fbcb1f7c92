/** The end of the tick, when everything gathered in it is written, one write per connection; and the fair share of a tick. */

/** Called at the end of a tick in which it had something to send. */
export interface Sender { endTick: () => void }

// An awaited loop of sends runs in microtasks, which starve timers and sockets: after this long, room comes back in the next turn.
const FAIR_SHARE = 5

// The clock costs a tenth of a small send: every fourth one reads it.
const READ_CLOCK_EVERY = 4

let gathering: Sender[] = []
let gatheringSince = 0
let sends = 0
let shareUsedUp = false
let turn: Promise<void> | null = null

/**
 * `endTick` of this is called at the end of the tick. Not in a microtask: a loop of awaited sends is made of those, and each send would
 * be a write of its own (7.5 µs against 0.4 µs an event, 2026-11).
 */
export function flushLater (sender: Sender): void {
  if (gathering.length === 0) {
    gatheringSince = performance.now()
    process.nextTick(endTick)
  }
  gathering.push(sender)
}

/** When this tick's gathering began, as `performance.now()` tells it. */
export function tickTime (): number {
  return gatheringSince
}

/** Whether senders, all together, have held the event loop for longer than their fair share. */
export function overstayed (): boolean {
  if (shareUsedUp) return true
  sends = (sends + 1) % READ_CLOCK_EVERY
  if (sends === 0 && gathering.length !== 0) shareUsedUp = performance.now() - gatheringSince > FAIR_SHARE
  return shareUsedUp
}

/** The event loop's next turn, one promise for all who wait. */
export function nextTurn (): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = null
      resolve()
    })
  })
  return turn
}

function endTick (): void {
  const senders = gathering
  gathering = []
  shareUsedUp = false
  for (const sender of senders) sender.endTick()
}
