/** The nodes' processes: starts them, kills one when it is asked to, and starts again what has died. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { NAMES, type Roll } from './roll.ts'

const NODE = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './node.ts' : './node.js', import.meta.url))
// How long a node stays away that has died, ms.
const AWAY = 3_000

interface Node { child: ChildProcess | null, port: number | null }

export class Supervisor {
  readonly #url: string
  readonly #onChange: (roll: Roll) => void
  readonly #nodes = new Map<string, Node>(NAMES.map((name) => [name, { child: null, port: null }]))
  readonly #timers = new Set<NodeJS.Timeout>()
  #isStopping = false

  /**
   * @param url of Redis
   * @param onChange how the nodes are now
   */
  constructor (url: string, onChange: (roll: Roll) => void) {
    this.#url = url
    this.#onChange = onChange
  }

  /** Of the nodes that take connections. */
  get ports (): number[] {
    return [...this.#nodes.values()].flatMap(({ port }) => port ?? [])
  }

  /** Resolves when all of them take connections. */
  async start (): Promise<void> {
    await Promise.all(NAMES.map((name) => this.#start(name)))
  }

  /** Resolves when all of them have ended, as they do when they are asked to. */
  async stop (): Promise<void> {
    this.#isStopping = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([...this.#nodes.values()].map(async ({ child }) => {
      if (child === null) return
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    }))
  }

  async #start (name: string): Promise<void> {
    const child = fork(NODE, [name, this.#url])
    const node: Node = { child, port: null }
    this.#nodes.set(name, node)
    this.#tell()
    const isOver = once(child, 'exit').then(() => { this.#ended(name) })
    const isUp = new Promise<void>((resolve) => {
      child.on('message', (message: { port?: number, kill?: string }) => {
        if (message.kill !== undefined) this.#nodes.get(message.kill)?.child?.kill('SIGKILL')
        if (message.port === undefined) return
        node.port = message.port
        this.#tell()
        resolve()
      })
    })
    await Promise.race([isUp, isOver])
  }

  #ended (name: string): void {
    this.#nodes.set(name, { child: null, port: null })
    if (this.#isStopping) return
    this.#tell()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#start(name)
    }, AWAY)
    this.#timers.add(timer)
  }

  #tell (): void {
    this.#onChange([...this.#nodes].map(([name, { child, port }]) => ({
      name,
      state: port !== null ? 'up' : child !== null ? 'starting' : 'down',
      pid: child?.pid ?? null
    })))
  }
}
