/** The kernel's own count of a server's connections, to hold beside what the server believes. Linux alone tells it. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** Sockets of a port of `HOST`, on this side, by the state of TCP. */
export interface Sockets {
  established: number
  /** All others that some process still has: those that wait for its close, or for the other side's. */
  closing: number
}

/** Where servers under load listen: who means a port of 127.0.0.1 that was free a moment ago does not come by here. */
export const HOST = '127.0.0.2'

const PATIENCE = 5_000

const TABLE = '/proc/net/tcp'

// `  12: 0200007F:1F90 0100007F:D2A6 01 …`: the number, this side, the other one, the state.
const LINE = /^ *\d+: 0200007F:([0-9A-F]{4}) (\S+) ([0-9A-F]{2})/gm

// While sockets of others come and go, a reading may have a line twice, or may not have it.
const READINGS = 2

// Of include/net/tcp_states.h. In SYN_RECV, TIME_WAIT and NEW_SYN_RECV no process has it; a LISTEN is no connection.
const ESTABLISHED = '01'
const NOT_HELD = new Set(['03', '06', '0A', '0C'])

export async function socketsOf (port: number): Promise<Sockets> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const states = new Map<string, string>()
  for (let i = 0; i < READINGS; i++) {
    for (const [, own, other, state] of (await readFile(TABLE, 'latin1')).matchAll(LINE)) {
      if (own === wanted) states.set(other as string, state as string)
    }
  }
  const held = [...states.values()].filter((state) => !NOT_HELD.has(state))
  const established = held.filter((state) => state === ESTABLISHED).length
  return { established, closing: held.length - established }
}

/** The same once it is what the server has, or when it is too late: what a process has left is not gone in the same moment. */
export async function settledSockets (port: number, established: number): Promise<Sockets> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const sockets = await socketsOf(port)
    if (sockets.established === established || performance.now() > deadline) return sockets
    await delay(50)
  }
}
