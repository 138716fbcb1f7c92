/** Clients that were at different places, and come back together: `returning-clients.js PORT COUNT LIFETIME`, in s. */
import net from 'node:net'
import { answer } from './child.ts'
import { EventReader } from './event-reader.ts'

/** What they have got. */
export interface Return {
  /** Clients that have the newest event. */
  complete: number
  events: number
  /** Of how many gaps they were told. */
  gaps: number
  /** Some of what is missing without a word. */
  faults: string[]
}

interface Places { last: number, places: string[] }

const [port = 0, count = 0, lifetime = 0] = process.argv.slice(2).map(Number)

const { last, places } = await (await fetch(`http://127.0.0.1:${port}/places`)).json() as Places
const crowd: EventReader[] = []

function enter (n: number): Promise<void> {
  const place = n % places.length
  const reader = new EventReader(false)
  reader.last = place
  crowd.push(reader)
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${places[place]}\r\n\r\n`)
      resolve()
    })
    socket.on('data', (data) => { reader.read(data) })
    socket.on('error', reject)
  })
}

answer({
  return: async () => { await Promise.all(Array.from({ length: count }, (_, n) => enter(n))) },
  read: (): Return => ({
    complete: crowd.filter((reader) => reader.last === last).length,
    events: crowd.reduce((sum, { events }) => sum + events, 0),
    gaps: crowd.reduce((sum, { gaps }) => sum + gaps, 0),
    faults: crowd.flatMap(({ faults }) => faults).slice(0, 5)
  })
}, lifetime * 1_000)
