/** Clients that come back by themselves, each time at the next node: `clients.js SETTINGS`, as JSON. They know what they have seen. */
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '../../client/index.ts'
import { answer } from '../child.ts'
import { History, type Step } from './history.ts'

export interface ClientsSettings {
  /** Of the nodes. */
  ports: number[]
  path: string
  count: number
  /** ms */
  heartbeatTimeout: number
  /** The bound of the first pause, ms. */
  retry: number
  /** s */
  lifetime: number
}

/** What some of them have in common. */
export interface Seen { steps: readonly Step[], clients: number }

export interface Reading {
  /** Everybody has got as far as this number, or further. */
  reached: number
  /** Those that are open now, and how often one was opened. */
  open: number
  opened: number
  /** Those that have come to their end. */
  closed: number
}

const settings = JSON.parse(process.argv[2] as string) as ClientsSettings
const histories: History[] = []
const AT_ONCE = 100
let open = 0
let opened = 0
let closed = 0

function enter (i: number): Promise<void> {
  const history = new History()
  histories.push(history)
  let attempt = i
  let isOpen = false
  return new Promise((resolve) => {
    connect<{ message: number }>(() => `http://127.0.0.1:${settings.ports[attempt++ % settings.ports.length] as number}${settings.path}`, {
      heartbeatTimeout: settings.heartbeatTimeout,
      retry: { delay: settings.retry, maxDelay: 2_000 },
      onError: () => {},
      onGap: ({ reason }) => { history.note(`gap ${reason}`) },
      onState: (state) => {
        if (state === 'closed') {
          history.note('closed')
          closed++
        }
        if (state === 'open') {
          opened++
          resolve()
        }
        open += Number(state === 'open') - Number(isOpen)
        isOpen = state === 'open'
      }
    }).on('message', ({ data }) => { history.add(data) }).on('error' as never, () => { history.note('error') })
  })
}

function read (): Reading {
  return { reached: histories.reduce((least, { highest }) => Math.min(least, highest), Infinity), open, opened, closed }
}

answer({
  enter: async () => {
    while (histories.length < settings.count) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, settings.count - histories.length) }, () => enter(histories.length)))
      await delay(1)
    }
  },
  read,
  seen: () => {
    const found = new Map<string, Seen>()
    for (const { steps } of histories) {
      const key = JSON.stringify(steps)
      const seen = found.get(key) ?? { steps, clients: 0 }
      seen.clients++
      found.set(key, seen)
    }
    return [...found.values()]
  }
}, settings.lifetime * 1_000)
