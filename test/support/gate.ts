/** A TCP proxy with faults: it cuts, at once or after a while, it lets nobody in; always at the same port, whatever is behind it. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export class Gate {
  readonly port: number
  /** The port behind it. */
  target: number
  /** How many came. */
  count = 0
  /** How long a connection lasts, ms. */
  age = Infinity
  #isShut = false
  readonly #pairs = new Set<[Socket, Socket]>()

  constructor (server: net.Server, target: number) {
    this.port = (server.address() as AddressInfo).port
    this.target = target
    server.on('connection', (client) => { this.#join(client) })
  }

  get origin (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** RST, both ways. */
  cut (): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /** Who comes is cut at once. */
  shut (isShut = true): void {
    this.#isShut = isShut
    if (isShut) this.cut()
  }

  #join (client: Socket): void {
    this.count++
    client.on('error', () => {})
    if (this.#isShut) {
      client.resetAndDestroy()
      return
    }
    const server = net.connect(this.target, '127.0.0.1')
    server.on('error', () => { client.resetAndDestroy() })
    const pair: [Socket, Socket] = [client, server]
    this.#pairs.add(pair)
    const cut = Number.isFinite(this.age) ? setTimeout(() => { client.resetAndDestroy() }, this.age) : undefined
    client.on('close', () => {
      clearTimeout(cut)
      server.destroy()
      this.#pairs.delete(pair)
    })
    server.on('close', () => { client.destroy() })
    client.pipe(server)
    server.pipe(client)
  }
}

/** A gate before this port, gone with the test. */
export async function openGate (t: Test, target: number): Promise<Gate> {
  const server = net.createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const gate = new Gate(server, target)
  t.teardown(() => {
    gate.cut()
    server.close()
  })
  return gate
}
