/** A program of benchmarks/ in a short form, as a test: it starts what it needs, and ends with one line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { plainNode } from './plain-node.ts'

/** For `skip`: the programs of benchmarks/load count the kernel's sockets. */
export const WITHOUT_LINUX = process.platform === 'linux' ? false : 'needs /proc/net/tcp'

/**
 * Passes if the program does.
 * @param program its file in benchmarks/, without the extension
 */
export async function passes (t: Test, program: string, options: Record<string, number | string>): Promise<void> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const file = fileURLToPath(new URL(`../../benchmarks/${program}.js`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: plainNode() })
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
