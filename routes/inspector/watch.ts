/** One viewer who watches what is published on one topic: as it comes, and not more than somebody can read. */
import type { Connection } from '../../lib/connection/connection.ts'
import type { Log } from '../../lib/topics/log.ts'
import type { Record } from '../../lib/topics/record.ts'

// The first event goes out at once, what follows within this time goes out together, ms.
const PAUSE = 200

// Of one pause.
const MAX_EVENTS = 20

// The characters of an event's data that are shown.
const MAX_DATA = 2_000

// A viewer that has not taken so many bytes gets no more until it has.
const ENOUGH = 64 * 1024

/** Nothing of this makes the watcher a subscriber: what feeds a topic while somebody listens is not started by it. */
export function watch (log: Log, topic: string, connection: Connection): void {
  let waiting: Record[] = []
  let skipped = 0
  let timer: NodeJS.Timeout | null = null

  const show = () => {
    timer = null
    if (waiting.length === 0) return
    timer = setTimeout(show, PAUSE)
    if (connection.queued > ENOUGH) return
    connection.event({ at: Date.now(), events: waiting.map(describe), skipped }, { event: 'published' })
    waiting = []
    skipped = 0
  }

  const leave = log.follow((record) => {
    if (record.topic !== topic || record.block === '') return
    if (waiting.length === MAX_EVENTS) skipped++
    else waiting.push(record)
    timer ??= setTimeout(show)
  })

  void connection.closed.then(() => {
    if (timer !== null) clearTimeout(timer)
    void leave()
  })
}

function describe ({ id, event = 'message', data, size }: Record): object {
  return { id, event, data: data.slice(0, MAX_DATA).toWellFormed(), isCut: data.length > MAX_DATA, size }
}
