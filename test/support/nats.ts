/** A NATS of the test's own, with JetStream: a server on a free port of loopback, which can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, type JetStreamClient } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { locate, without } from './programs.ts'
import { standStill } from './stand-still.ts'

const SERVER = ['nats-server']

/** What goes into a test's `skip`: false if there is a NATS, or if there has to be one and the test shall fail. */
export function withoutNats (): string | false {
  return without('TESTED WITH NATS', SERVER, 'nats-server')
}

export class NatsServer {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | null = null

  constructor (port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  start (): void {
    this.#process = spawn(locate(SERVER), ['-js', '-sd', this.#folder, '-a', '127.0.0.1', '-p', String(this.port)], { stdio: 'ignore' })
  }

  /** SIGKILL, and gone when it resolves. */
  async kill (): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  suspend (): void {
    standStill(this.#process)
  }

  resume (): void {
    this.#process?.kill('SIGCONT')
  }

  /** Loses what is on its disk, while it is not there. */
  async forget (): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** A connection, which goes away with the test. */
  async connection (t: Test): Promise<NatsConnection> {
    const connection = await connect({ port: this.port, maxReconnectAttempts: -1, reconnectTimeWait: 50, waitOnFirstConnect: true })
    t.teardown(() => connection.close())
    return connection
  }

  async client (t: Test): Promise<JetStreamClient> {
    return jetstream(await this.connection(t))
  }
}

/** A server that ends with the test. */
export async function startNats (t: Test): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'pastelli-nats-'))
  const server = new NatsServer(await freePort(), folder)
  t.teardown(async () => {
    await server.kill()
    await server.forget()
  })
  server.start()
  return server
}
