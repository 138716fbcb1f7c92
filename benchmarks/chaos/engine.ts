/** The engine that keeps the log: a server on a port of loopback with a folder of its own, which is killed, stopped and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../test/support/free-port.ts'
import { locate } from '../../test/support/programs.ts'

export type EngineName = 'redis' | 'nats'

export interface EngineSettings {
  /** Where it keeps what it has; default: a folder of its own. */
  folder?: string
  /** When Redis writes what it has taken to its disk: before it answers, or within a second. Default: always. */
  fsync?: 'always' | 'everysec'
  /** A command that becomes the engine, whose path and arguments follow. Default: none. */
  through?: readonly string[]
}

const PATIENCE = 10_000

export class Engine {
  readonly name: EngineName
  readonly port: number
  readonly #keeps: boolean
  readonly #folder: string
  readonly #settings: EngineSettings
  #process: ChildProcess | null = null

  private constructor (name: EngineName, keeps: boolean, port: number, folder: string, settings: EngineSettings) {
    this.name = name
    this.#keeps = keeps
    this.port = port
    this.#settings = settings
    this.#folder = folder
    process.once('exit', this.#leaveNothing)
  }

  /** @param keeps whether what it has taken is there again after it was killed */
  static async start (name: EngineName, keeps: boolean, settings: EngineSettings = {}): Promise<Engine> {
    const folder = settings.folder === undefined ? await mkdtemp(join(tmpdir(), 'pastelli-chaos-')) : join(settings.folder, name)
    const engine = new Engine(name, keeps, await freePort(), folder, settings)
    await mkdir(folder, { recursive: true })
    await engine.start()
    return engine
  }

  /** Resolves when it takes connections. */
  async start (): Promise<void> {
    const [program, args] = this.#command()
    const [first, ...rest] = [...this.#settings.through ?? [], locate([program]), ...args] as [string, ...string[]]
    this.#process = spawn(first, rest, { stdio: 'ignore' })
    const deadline = performance.now() + PATIENCE
    while (!await this.#isThere()) {
      if (performance.now() > deadline) throw new Error(`${program} does not start`)
      await delay(10)
    }
  }

  /** SIGKILL, and gone when it resolves. */
  async kill (): Promise<void> {
    const child = this.#process
    this.#process = null
    if (isUp(child)) {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    }
    if (!this.#keeps) await rm(this.#folder, { recursive: true, force: true })
  }

  /** Whether it runs, that is has not ended by itself. */
  get isRunning (): boolean {
    return isUp(this.#process)
  }

  /** Keeps its connections, and answers nothing. */
  suspend (): void {
    this.#process?.kill('SIGSTOP')
  }

  resume (): void {
    this.#process?.kill('SIGCONT')
  }

  async remove (): Promise<void> {
    await this.kill()
    process.off('exit', this.#leaveNothing)
    await rm(this.#folder, { recursive: true, force: true })
  }

  // Also when the program that started it is told to end.
  readonly #leaveNothing = (): void => {
    this.#process?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #command (): [program: string, args: string[]] {
    const port = String(this.port)
    if (this.name === 'nats') return ['nats-server', ['-js', '-sd', this.#folder, '-a', '127.0.0.1', '-p', port]]
    const disk = this.#keeps ? ['--dir', this.#folder, '--appendonly', 'yes', '--appendfsync', this.#settings.fsync ?? 'always'] : []
    return ['redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', ...disk]]
  }

  async #isThere (): Promise<boolean> {
    const socket = net.connect(this.port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return true
    } catch {
      return false
    } finally {
      socket.destroy()
    }
  }
}

function isUp (child: ChildProcess | null): child is ChildProcess {
  return child !== null && child.exitCode === null && child.signalCode === null
}
