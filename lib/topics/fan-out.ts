/** Brings what was published to those who are live: in passes, from all of a tick at once, a slice of the event loop at a time. */
import { delivered } from '../diagnostics.ts'
import type { Cursor } from './cursor.ts'
import type { Directory } from './directory.ts'
import type { Group } from './group.ts'
import { Queue } from './queue.ts'
import type { Record } from './record.ts'

// A pass lets others have the event loop after so long, ms; whoever is reached later gets more in one write.
const SLICE = 5

// The clock is read after so many writes: about 0.3 ms.
const READ_CLOCK_EVERY = 32

// So many bytes are not left to gather until the end of the tick: who publishes in a loop may not end it for long.
const MAX_GATHERED = 256 * 1024

interface Pass {
  readonly group: Group
  readonly members: Iterator<Cursor>
  /** All that were reached have everything up to this offset. */
  through: number
  /** When the first of it was published, ms; 0: nobody wants to know. */
  readonly dueAt: number
}

export class FanOut {
  readonly #directory: Directory
  readonly #coalesce: number
  readonly #delivered: (connections: number, latency: number) => void
  readonly #due = new Queue<Group>()
  #pass: Pass | null = null
  #gathered = 0
  // Whether it runs at the end of the tick or window, and whether it goes on in the next turn.
  #isScheduled = false
  #isYielding = false
  #isRunning = false
  #timer: NodeJS.Timeout | null = null

  /**
   * @param coalesce ms in which publishes are gathered; 0: those of a tick are
   * @param onDelivered is told to how many connections a pass has written, and how many ms after it became due, if anybody listens
   */
  constructor (directory: Directory, coalesce: number, onDelivered: (connections: number, latency: number) => void) {
    this.#directory = directory
    this.#coalesce = coalesce
    this.#delivered = onDelivered
  }

  /** Takes the log's next record. */
  add (record: Record): void {
    let isFull = false
    for (const group of this.#directory.groups(record.topic)) {
      if (group.add(record)) this.#enqueue(group)
      isFull ||= group.isFull
    }
    if (this.#due.length === 0) return
    this.#gathered += record.size
    if ((isFull || this.#gathered > MAX_GATHERED) && !this.#isRunning) this.#run()
    else this.#schedule()
  }

  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #enqueue (group: Group): void {
    this.#due.push(group)
    group.dueAt = delivered.hasSubscribers ? performance.now() : 0
  }

  #schedule (): void {
    if (this.#isScheduled || this.#isYielding || this.#isRunning) return
    this.#isScheduled = true
    if (this.#coalesce === 0) process.nextTick(() => { this.#runScheduled() })
    else this.#timer = setTimeout(() => { this.#runScheduled() }, this.#coalesce)
  }

  #runScheduled (): void {
    this.#isScheduled = false
    this.#run()
  }

  #run (): void {
    this.#isRunning = true
    this.#gathered = 0
    const isDone = this.#slice()
    this.#isRunning = false
    if (isDone || this.#isYielding) return   // one slice a turn, however often more was published meanwhile
    this.#isYielding = true
    setImmediate(() => {
      this.#isYielding = false
      this.#run()
    })
  }

  // Answers whether all is done.
  #slice (): boolean {
    const end = performance.now() + SLICE
    for (let reached = 1; ; reached++) {
      this.#pass ??= this.#nextPass()
      if (this.#pass === null) return true
      this.#step(this.#pass)
      if (reached % READ_CLOCK_EVERY === 0 && performance.now() > end) return false
    }
  }

  #nextPass (): Pass | null {
    const group = this.#due.shift()
    return group === undefined ? null : { group, members: group.live.values(), through: group.newest, dueAt: group.dueAt }
  }

  #step (pass: Pass): void {
    const { group, members } = pass
    const { done, value: cursor } = members.next()
    if (done !== true) {
      pass.through = Math.min(pass.through, cursor.push(group))
      return
    }
    this.#pass = null
    if (pass.dueAt !== 0) this.#delivered(group.live.size, performance.now() - pass.dueAt)
    if (group.passed(pass.through)) this.#enqueue(group)
  }
}
