/** A client of `pastelli/client` on Node, which goes away with the test and remembers its states. */
import type { Test } from 'tap'
import WebSocket from 'ws'
import { type Address, type ClientState, type ClientStream, connect, type ConnectOptions, type StateDetail, type WithGap } from '../../client/index.ts'
import { webSocket } from '../../client/websocket.ts'
import { until } from './until.ts'

type AnyEvents = Record<string, unknown>

export interface Client {
  stream: ClientStream<WithGap<AnyEvents>>
  states: ClientState[]
  /** One for each state. */
  details: StateDetail[]
  /** Data received, by listeners for messages. */
  seen: unknown[]
  /** Resolves when it is in this state for the `nth` time, from 1. */
  becomes: (state: ClientState, nth?: number) => Promise<StateDetail>
  sees: (...data: unknown[]) => Promise<void>
}

export const overWebSocket: ConnectOptions = { transport: webSocket, WebSocket }

/** Comes back fast. Listens for messages, so nothing waits for an iterator. */
export function open (t: Test, address: Address, options: ConnectOptions = {}): Client {
  const { stream, states, details, becomes } = openToIterate(t, address, options)
  const seen: unknown[] = []
  stream.on('message', ({ data }) => { seen.push(data) })
  const sees = async (...data: unknown[]) => {
    await until(() => seen.length >= data.length, `${JSON.stringify(data).slice(0, 200)} came`)
    t.same(seen, data)
  }
  return { stream, states, details, becomes, seen, sees }
}

/** The same, without listeners. */
export function openToIterate (t: Test, address: Address, options: ConnectOptions = {}): Omit<Client, 'seen' | 'sees'> {
  const states: ClientState[] = []
  const details: StateDetail[] = []
  const onState = (state: ClientState, detail: StateDetail) => {
    states.push(state)
    details.push(detail)
  }
  const stream = connect(address, { retry: 5, ...options, onState })
  t.teardown(() => { stream.close() })
  const becomes = async (state: ClientState, nth = 1) => {
    const at = await until(() => states.flatMap((known, at) => known === state ? [at + 1] : [])[nth - 1], `the client is ${state}`)
    return details[at - 1] as StateDetail
  }
  return { stream, states, details, becomes }
}
