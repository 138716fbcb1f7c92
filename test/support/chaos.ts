/** A program of benchmarks/chaos in a short form, as a test: it starts an engine, nodes and clients, and ends with one line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { withoutNats } from './nats.ts'
import { withoutRedis } from './redis.ts'

/** For `skip`: what goes into a test of an engine that is not there. */
export const ENGINES = [['redis', withoutRedis()], ['nats', withoutNats()]] as const

/** Passes if the program does. */
export async function passes (t: Test, program: string, engine: string, options: Record<string, number>): Promise<void> {
  const args = Object.entries({ clients: 24, ...options }).flatMap(([name, value]) => [`--${name}`, String(value)])
  const file = fileURLToPath(new URL(`../../benchmarks/chaos/${program}.js`, import.meta.url))
  const child = spawn(process.execPath, [file, '--engine', engine, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => stop(child))
  const output: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output.push(text) })
  const [code] = await once(child, 'close') as [number]
  const text = output.join('')
  t.match(text, /^PASS: [^\n]*\n$/)
  t.equal(code, 0)
  t.comment(text)
}

// It ends what it has started when it is told to.
async function stop (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}
