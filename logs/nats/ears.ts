/** What listens to consumers: messages that have come and are not taken yet, and their failure as soon as there is one. */
import type { Closable } from '../tail.ts'
import type { Consumer, Message, Messages } from './client.ts'

export interface Ears extends Closable {
  readonly messages: Message[]
  /** What it failed with; maybe while nobody heard. */
  failure: Error | null
  arrived: () => void
  failed: (error: Error) => void
}

const MAX_MESSAGES = 500

// How long a consumer is asked to wait, and how often it says that it is there, ms.
const EXPIRES = 5_000
const HEARTBEAT = 1_000
const BROKEN = ['heartbeats_missed', 'consumer_not_found', 'stream_not_found', 'consumer_deleted', 'no_responders', 'ordered_consumer_recreated']

export async function listen (consumers: readonly Consumer[]): Promise<Ears> {
  const messages: Message[] = []
  const found: Messages[] = []
  const ears: Ears = {
    messages,
    failure: null,
    arrived: () => {},
    failed: () => {},
    close: () => {
      fail(ears, new Error('it was closed'))
      // Else NATS deletes them when nobody has asked for long.
      found.forEach((own, i) => { own.close().then(() => (consumers[i] as Consumer).delete()).catch(() => {}) })
    }
  }
  for (const consumer of consumers) {
    const own = await consumer.consume({
      max_messages: MAX_MESSAGES,
      expires: EXPIRES,
      idle_heartbeat: HEARTBEAT,
      callback: (message) => {
        messages.push(message)
        ears.arrived()
      }
    })
    found.push(own)
    watch(own, ears).catch((err: Error) => { fail(ears, err) })
  }
  return ears
}

/** What has come, as soon as something has; nothing after so many ms. */
export function hear (ears: Ears, ms: number): Promise<Message[]> {
  return new Promise((resolve, reject) => {
    ears.failed = (err) => {
      clearTimeout(timer)
      reject(err)
    }
    const timer = setTimeout(take, ms)
    ears.arrived = () => {
      ears.arrived = () => {}
      queueMicrotask(take)   // those that came in one piece go together
    }
    if (ears.messages.length !== 0) take()
    else if (ears.failure !== null) ears.failed(ears.failure)
    function take (): void {
      clearTimeout(timer)
      ears.arrived = () => {}
      resolve(ears.messages.splice(0))
    }
  })
}

// The client would go on by itself, and maybe where another stream is by now.
async function watch (found: Messages, ears: Ears): Promise<void> {
  for await (const { type } of found.status()) {
    if (BROKEN.includes(type)) fail(ears, new Error(`NATS: ${type}`))
  }
}

function fail (ears: Ears, error: Error): void {
  ears.failure ??= error
  ears.failed(error)
}
