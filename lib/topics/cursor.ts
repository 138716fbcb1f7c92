/** A connection's place in the log: everything of its topics up to there has been given to it. */
import type { Attendance } from '../cluster/attendance.ts'
import type { Connection } from '../connection/connection.ts'
import { gapped, overflowed, replayed } from '../diagnostics.ts'
import type { Format } from '../wire/format.ts'
import { Frame } from '../wire/frame.ts'
import type { CatchUp } from './catch-up.ts'
import type { Directory } from './directory.ts'
import { encodeGap, type Gap } from './gap.ts'
import { type Group, type Payload, WRITE_BYTES } from './group.ts'
import type { Batch, Log } from './log.ts'
import { formatPosition, type Position } from './position.ts'
import { isProduced } from './produced.ts'
import type { Record } from './record.ts'
import { type Filter, select, type Selection, type Subscriptions } from './selection.ts'
import type { Piece, Shelf } from './shelf.ts'

/** What cursors have in common. */
export interface Feed { readonly log: Log, readonly directory: Directory, readonly catchUp: CatchUp, readonly shelf: Shelf }

const NOTHING: Subscriptions = new Map()
const NONE: ReadonlyArray<Set<string>> = []

export class Cursor {
  readonly connection: Connection
  /** Whether it starts where the client says that it was. */
  readonly isResumed: boolean
  /** On which of its topics the connection is present; null: on none. */
  attendance: Attendance | null = null
  readonly #feed: Feed
  #offset: number
  #group: Group | null = null
  // What the client is told at first in place of its position.
  #gap: Gap | null
  // Whether the client was told where it is, and whether it was given what it missed until then.
  #hasBegun = false
  #hasCaughtUp = false
  // So many events a client that came back was given of what it missed; null once it has all.
  #replayed: number | null
  #behindSince = performance.now()
  // Whether a write has to be taken, or a read to answer, before it goes on.
  #isBusy = false
  #holds = 0
  // Topics that it is to be subscribed to once there is leave.
  #awaited: ReadonlyArray<Set<string>> = NONE
  #hasEnded = false

  /**
   * @param offset where it starts
   * @param gap what lies between there and where the client was
   */
  constructor (connection: Connection, feed: Feed, offset: number, gap: Gap | null, isResumed: boolean) {
    this.connection = connection
    this.isResumed = isResumed
    this.#replayed = isResumed ? 0 : null
    this.#feed = feed
    this.#offset = offset
    this.#gap = gap
  }

  get subscriptions (): Subscriptions {
    return this.#group?.subscriptions ?? NOTHING
  }

  get format (): Format {
    return this.connection.format
  }

  get hasBegun (): boolean {
    return this.#hasBegun
  }

  /** Whether nothing came of it: no leave for what it was made for. */
  get isUnused (): boolean {
    return this.#group === null && !this.#hasBegun && this.#holds === 0
  }

  /** Everything up to this offset has been given. */
  get offset (): number {
    return this.#isAtHead ? this.#feed.log.head : this.#offset
  }

  /** The position that the client may resume from. */
  get position (): string {
    return formatPosition(this.#feed.log.epoch, this.offset)
  }

  /** Since when there is something that it has not, in ms like `performance.now()`; 0: it has everything. */
  get behindSince (): number {
    return this.#group === null || this.#group.live.has(this) ? 0 : this.#behindSince
  }

  get #isAtHead (): boolean {
    const group = this.#group
    return group === null ? this.#hasBegun && this.#holds === 0 : group.live.has(this) && this.#offset >= group.newest
  }

  /** Starts elsewhere: nothing has been told to the client yet. */
  startAt (offset: number): void {
    this.#offset = offset
  }

  /** Adds topics, or gives them another filter. */
  subscribe (topics: Iterable<string>, filter: Filter | null): void {
    const subscriptions = new Map(this.subscriptions)
    for (const topic of topics) subscriptions.set(topic, filter)
    this.#change(subscriptions)
  }

  unsubscribe (topics: readonly string[]): void {
    for (const awaited of this.#awaited) for (const topic of topics) awaited.delete(topic)
    const left = new Set(topics)
    this.#change(new Map([...this.subscriptions].filter(([topic]) => !left.has(topic))))
  }

  /** The format has changed, before anything was sent. */
  reformat (): void {
    this.#change(this.subscriptions)
  }

  /** Tells the client where it is, or what it missed. */
  begin (): void {
    this.#hasBegun = true
    const { position } = this
    const gap = this.#gap
    if (gap === null) this.connection.tellPosition(position)
    else this.#tellGap(gap, position)
  }

  /**
   * Gives nothing until `release` was called as often.
   * @param awaited topics that wait for leave; what is unsubscribed meanwhile is taken out
   */
  hold (awaited?: Set<string>): void {
    if (awaited !== undefined) this.#awaited = [...this.#awaited, awaited]
    this.#offset = this.offset
    this.#holds++
    this.#fallBehind()
  }

  release (awaited?: Set<string>): void {
    if (awaited !== undefined) this.#awaited = this.#awaited.filter((other) => other !== awaited)
    this.#holds--
    this.advance()
  }

  /** Gives what comes next, if there is no reason to wait. */
  advance (): void {
    const group = this.#group
    if (group === null || this.#isBusy || this.#holds !== 0 || this.#hasEnded || group.live.has(this) || !this.connection.takesBlocks) return
    if (!this.#hasBegun) this.begin()
    const { log, shelf } = this.#feed
    const piece = shelf.take(group.key, this.#offset)
    if (piece !== null && !log.isTrimmed(group.subscriptions.keys(), this.#offset)) {
      this.#givePiece(piece)
      return
    }
    const batch = log.read(group.subscriptions.keys(), this.#offset, WRITE_BYTES)
    if (!(batch instanceof Promise)) {
      this.#give(group, batch)
      return
    }
    this.#isBusy = true
    group.beginRead()
    const after = this.#offset
    batch.then((batch) => {
      this.#isBusy = false
      if (group === this.#group && after === this.#offset && this.#hasBegun && this.#holds === 0 && this.connection.takesBlocks) this.#give(group, batch)
      else this.advance()
    }).catch((err: unknown) => { this.connection.fail(err) }).finally(() => { group.endRead() })
  }

  /** The client has taken what it had to take first. */
  goOn (): void {
    this.#isBusy = false
    this.advance()
  }

  /**
   * Gives a live one what its group has waiting. Answers up to where it has everything then, `Infinity` if it is not live any more.
   * @param isLast whether it will not be asked again
   */
  push (group: Group, isLast = false): number {
    if (this.#offset >= group.newest) return this.#offset
    let payload: Payload | null
    try {
      payload = group.payload(this.#offset)
      // Not from the log: it may not have what is here.
      if (payload?.exceptions?.every((record) => this.#isFor(record)) === false) payload = group.payloadFor(this.#offset, (record) => this.#isFor(record))
    } catch (err) {
      this.connection.fail(err)
      return Infinity
    }
    if (group !== this.#group) return Infinity   // a filter has ended or moved it
    if (payload !== null && this.connection.takesBlocks) {
      this.#write(group, payload, isLast)
    } else {
      this.#fallBehind()
      this.advance()
    }
    return group.live.has(this) ? this.#offset : Infinity
  }

  /** Gives a live one what was published before now, so that what is sent next does not overtake it. */
  giveWaiting (): void {
    this.#pushLast(this.subscriptions)
  }

  /** What it has coming was lost: in a later turn its client is told, and goes on with what is there now. */
  restart (last: Position): void {
    if (this.#hasEnded) return
    const { log, catchUp } = this.#feed
    const from = formatPosition(last.epoch, this.#isAtHead ? last.offset : this.#offset)
    if (this.#hasBegun || this.#gap === null) this.#gap = { reason: last.epoch === log.epoch ? 'trimmed' : 'foreign', from }
    this.#hasBegun = false
    this.#fallBehind()
    this.#offset = this.#next
    if (this.#isBusy) return   // it goes on by itself
    this.#isBusy = true
    catchUp.add(this)
  }

  /** Looks whether what it has coming is still there. */
  sweep (): void {
    const group = this.#group
    if (!this.#isBusy || group === null || this.connection.settings.overflow !== 'disconnect') return
    if (this.#feed.log.isTrimmed(group.subscriptions.keys(), this.#offset)) this.connection.destroy('overflow')
  }

  /** The connection closes: what it has coming goes out before that, unless it is behind. */
  finish (): void {
    if (!this.#hasBegun) this.advance()   // without a position its client would come back as a newcomer
    this.#pushLast(NOTHING)
    this.end()
  }

  /** The connection has ended. */
  end (): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#tellReplay(false)
    this.#group = this.#feed.directory.move(this, this.#group, NOTHING, 0)
    this.attendance?.retain(NOTHING)
    this.#feed.directory.announce()
  }

  #change (subscriptions: Subscriptions): void {
    if (this.#hasEnded) return
    this.#pushLast(subscriptions)
    if (this.#hasEnded) return   // it was found to be gone
    this.#offset = this.offset
    if (this.behindSince === 0) this.#behindSince = performance.now()
    this.#group = this.#feed.directory.move(this, this.#group, subscriptions, this.#feed.log.head)
    this.attendance?.retain(subscriptions)
    this.#feed.directory.announce()
    this.advance()
  }

  // What was published before a change is given as it was then; of topics that it leaves, as much as may be queued.
  #pushLast (subscriptions: Subscriptions): void {
    const group = this.#group
    if (group === null) return
    this.#pushAll(group, [...group.subscriptions.keys()].some((topic) => !subscriptions.has(topic)))
  }

  #pushAll (group: Group, isLast = false): void {
    while (group.live.has(this) && this.#offset < group.newest) this.push(group, isLast)
  }

  // A client that has not taken the last write gets this one, and then nothing until it has taken both.
  #write (group: Group, { frame, events, ends, through }: Payload, isLast: boolean): void {
    const { connection } = this
    this.#offset = through
    if (frame !== null && (connection.isRoomy || (isLast && !connection.isFull))) {
      connection.deliver(frame, events)
    } else if (frame !== null) {
      this.#fallBehind()
      this.#deliverAndWait(frame, events)
    }
    if (ends !== null) this.#close(ends)
  }

  #give (group: Group, batch: Batch | null): void {
    if (this.#hasEnded) return   // what went out just before may have been too much
    if (batch === null) {
      this.#miss()
      return
    }
    this.#hasCaughtUp = true
    const { records, through: last } = upTo(this.#feed.shelf.meeting(group.key, this.#offset), batch)
    let selection: Selection
    this.#isBusy = true   // a filter may send something to its own connection, which would give all of this once more
    try {
      selection = select(records, 0, group.subscriptions, group.format, Infinity, last, (record) => this.#isFor(record))
    } catch (err) {
      this.connection.fail(err)   // a filter's: what it may have let through can't be left out in silence
      return
    } finally {
      this.#isBusy = false
    }
    if (group !== this.#group || this.#holds !== 0 || !this.connection.takesBlocks) {
      this.advance()
      return
    }
    const { text, events, ends, through } = selection
    const after = this.#offset
    this.#offset = through
    const isLive = through >= this.#feed.log.head || group.meets(through)
    this.#replay(events, isLive)
    if (isLive) {
      group.live.add(this)
      if (text !== '') this.connection.deliver(new Frame(text, group.format.encoding), events)
      this.#pushAll(group)
    } else if (text === '') {
      this.#isBusy = true
      this.#feed.catchUp.add(this)
    } else {
      const frame = new Frame(text, group.format.encoding)
      if (isForAll(records)) this.#feed.shelf.keep({ key: group.key, after, through, frame, events })
      this.#deliverAndWait(frame, events)
    }
    if (ends !== null) this.#close(ends)
  }

  #fallBehind (): void {
    const group = this.#group
    if (group?.live.delete(this) !== true) return
    this.#offset = group.reach(this.#offset)   // the client may have been told that
    this.#behindSince = performance.now()
  }

  #replay (events: number, isComplete: boolean): void {
    if (this.#replayed === null) return
    this.#replayed += events
    if (isComplete) this.#tellReplay(true)
  }

  #tellReplay (isComplete: boolean): void {
    const { connection } = this
    const events = this.#replayed
    this.#replayed = null
    if (events !== null && replayed.hasSubscribers) replayed.publish({ connections: connection.registry, connection, events, isComplete })
  }

  #tellGap (gap: Gap, to: string): void {
    const { connection } = this
    connection.tell((format) => encodeGap(format, gap, to), 1)
    if (gapped.hasSubscribers) gapped.publish({ connections: connection.registry, connection, ...gap, to })
  }

  // A format that can't say that the source has failed must not look whole.
  #close (ends: 'server' | 'error'): void {
    if (ends === 'error' && !this.format.hasTypes) this.connection.destroy(ends)
    else this.connection.close(ends)
  }

  #givePiece ({ through, frame, events }: Piece): void {
    this.#hasCaughtUp = true
    this.#offset = through
    this.#replay(events, false)
    this.#deliverAndWait(frame, events)
  }

  // The client has to take this before it gets more.
  #deliverAndWait (frame: Frame, events: number): void {
    this.#isBusy = true
    this.connection.deliver(frame, events, () => { this.#feed.catchUp.add(this) })
  }

  // What it has coming was trimmed. If that was so before it was given anything, it came too late; else it is too slow.
  #miss (): void {
    if (this.#hasCaughtUp && this.connection.settings.overflow === 'disconnect') {
      this.connection.destroy('overflow')
      return
    }
    const gap: Gap = { reason: this.#hasCaughtUp ? 'overflow' : 'trimmed', from: this.position }
    this.#offset = this.#next
    const { connection } = this
    if (this.#hasCaughtUp && overflowed.hasSubscribers) overflowed.publish({ connections: connection.registry, connection, policy: 'skip' })
    this.#tellGap(gap, this.position)
    this.advance()
  }

  // Where it goes on behind a gap: of what is produced its end must not be passed over.
  get #next (): number {
    const { log } = this.#feed
    const topics = [...this.subscriptions.keys()]
    return topics.some(isProduced) ? log.earliest(topics) : log.head
  }

  #isFor ({ except }: Record): boolean {
    return except === undefined || (except !== this.connection.id && except !== this.connection.name)
  }
}

// The batch, or less of it if it goes beyond this offset.
function upTo (offset: number | null, batch: Batch): Batch {
  if (offset === null || offset >= batch.through) return batch
  return { records: batch.records.filter((record) => record.offset <= offset), through: offset }
}

function isForAll (records: readonly Record[]): boolean {
  return records.every(({ except, ends }) => except === undefined && ends === undefined)
}
