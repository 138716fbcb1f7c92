/** Runs the command `pastelli` as it is installed, in a process of its own that goes away with the test. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { until } from './until.ts'

// Below the sources: the package is built there.
export const BIN = fileURLToPath(new URL('../../../cli/bin.js', import.meta.url))

/** Flags of Node's with which there is one: Node 20 has none unless it is told to. */
export const WEB_SOCKETS = 'WebSocket' in globalThis ? [] : ['--experimental-websocket']

export class Run {
  readonly child: ChildProcessWithoutNullStreams
  out = ''
  err = ''
  readonly #ended: Promise<unknown>

  constructor (child: ChildProcessWithoutNullStreams) {
    this.child = child
    this.#ended = once(child, 'close')
    child.stdout.setEncoding('utf8').on('data', (text) => { this.out += text })
    child.stderr.setEncoding('utf8').on('data', (text) => { this.err += text })
  }

  /** The whole lines of its output so far. */
  get lines (): string[] {
    return this.out.split('\n').slice(0, -1)
  }

  /** What each line has in JSON. */
  get objects (): Array<Record<string, unknown>> {
    return this.lines.map((line) => JSON.parse(line))
  }

  /** Resolves when it has printed so many lines. */
  async prints (count: number): Promise<string[]> {
    await until(() => this.lines.length >= count, `${count} lines are printed`)
    return this.lines
  }

  /** Resolves when it has said so on stderr. */
  async says (what: RegExp): Promise<void> {
    await until(() => what.test(this.err), `it says ${what}`)
  }

  /** Its exit code, or the signal that ended it. */
  async ends (): Promise<number | NodeJS.Signals> {
    await this.#ended
    return this.child.exitCode ?? this.child.signalCode as NodeJS.Signals
  }
}

/** The command with these arguments; `flags` are Node's. */
export function run (t: Test, args: string[], flags: string[] = []): Run {
  return started(t, spawn(process.execPath, [...flags, BIN, ...args]))
}

/** A line of a shell, in which `$pastelli` is the command. */
export function runInShell (t: Test, line: string, env: NodeJS.ProcessEnv = {}): Run {
  return started(t, spawn('bash', ['--norc', '-c', line], { env: { ...process.env, ...env, pastelli: `${process.execPath} ${BIN}` } }))
}

/** The command at a terminal: `out` is all that is seen there. */
export function runAtTerminal (t: Test, args: string[], env: NodeJS.ProcessEnv = {}): Run {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ')
  const { NO_COLOR: _no, FORCE_COLOR: _force, NODE_DISABLE_COLORS: _disable, CI: _ci, ...rest } = process.env   // they rule colours
  return started(t, spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], { env: { ...rest, TERM: 'xterm-256color', ...env } }))
}

function started (t: Test, child: ChildProcessWithoutNullStreams): Run {
  t.teardown(() => { child.kill('SIGKILL') })
  return new Run(child)
}
