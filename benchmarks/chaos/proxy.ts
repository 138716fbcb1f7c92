/** The way from a node to the engine: it counts who comes, and can fall silent without an end. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

export class Proxy {
  readonly #server: net.Server
  readonly #pairs = new Set<Pair>()
  /** When each connection came, ms of `performance.now()`. */
  readonly arrivals: number[] = []

  private constructor (target: number) {
    this.#server = net.createServer((near) => {
      this.arrivals.push(performance.now())
      const pair = new Pair(near, net.connect(target, '127.0.0.1'))
      this.#pairs.add(pair)
      near.once('close', () => { this.#pairs.delete(pair) })
    })
  }

  static async open (target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** What the connections of now carry is swallowed from now on, both ways. Those that come later are served. */
  silence (): void {
    for (const pair of this.#pairs) pair.silence()
  }

  close (): void {
    this.#server.close()
    for (const pair of this.#pairs) pair.destroy()
  }
}

class Pair {
  readonly #near: net.Socket
  readonly #far: net.Socket
  #isSilent = false

  constructor (near: net.Socket, far: net.Socket) {
    this.#near = near
    this.#far = far
    near.setNoDelay()
    far.setNoDelay()
    this.#carry(near, far)
    this.#carry(far, near)
  }

  silence (): void {
    this.#isSilent = true
  }

  destroy (): void {
    this.#near.destroy()
    this.#far.destroy()
  }

  #carry (from: net.Socket, to: net.Socket): void {
    from.on('data', (bytes) => { if (!this.#isSilent) to.write(bytes) })
    from.on('error', () => {})   // its close follows
    from.on('close', () => { if (!this.#isSilent || from === this.#near) to.destroy() })
  }
}
