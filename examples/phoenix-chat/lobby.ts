/** The rooms, of which one is open: who comes in is announced, what is said goes to all, and the system pings. */
import type { Channel } from 'pastelli/phoenix'

export interface LobbyOptions {
  /** From ping to ping, ms. @default 5000 */
  interval?: number
  /** Calls `task` every `ms` until what it answers is called. @default setInterval */
  every?: (ms: number, task: () => void) => () => void
}

interface Guest { user: string }

const SYSTEM = 'SYSTEM'
const MAX_NAME = 24
const MAX_BODY = 2_000

export function lobby ({ interval = 5_000, every = repeat }: LobbyOptions = {}): Channel<Guest> {
  return {
    presence: true,

    join (topic, payload, socket) {
      if (topic !== 'rooms:lobby') return { error: { reason: 'unauthorized' } }
      const user = textOf(payload, 'user', MAX_NAME)
      if (user === null) return { error: { reason: 'nameless' } }
      if (user === SYSTEM) return { error: { reason: 'reserved' } }
      socket.state.user = user
      socket.info('entered')
      return { ok: {} }
    },

    handleInfo (_message, socket) {
      const { user } = socket.state
      void socket.broadcast('user:entered', { user })
      void socket.push('join', { status: 'connected' })
      socket.track(user, { since: Date.now() })
      socket.signal.addEventListener('abort', every(interval, () => { void socket.push('new:msg', { user: SYSTEM, body: 'ping' }) }))
    },

    handleIn (event, payload, socket) {
      const body = textOf(payload, 'body', MAX_BODY)
      if (event !== 'new:msg' || body === null) return { reply: { error: { reason: 'unheard' } } }
      // Whatever the client says: nobody speaks for somebody else.
      void socket.broadcast('new:msg', { user: socket.state.user, body })
      return { reply: { ok: { msg: body } } }
    }
  }
}

function repeat (ms: number, task: () => void): () => void {
  const timer = setInterval(task, ms)
  return () => { clearInterval(timer) }
}

function textOf (payload: unknown, name: string, limit: number): string | null {
  const text: unknown = Object(payload)[name]
  return typeof text === 'string' && text.trim() !== '' && text.length <= limit ? text.trim() : null
}
