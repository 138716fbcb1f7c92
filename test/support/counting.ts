/** A server in a process of its own, which can be killed, frozen and started again at its port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { plainNode } from './plain-node.ts'

const SERVER = fileURLToPath(new URL('fixtures/counting-server.js', import.meta.url))

export interface CountingServer { port: number, kill: (signal: NodeJS.Signals) => Promise<void> | undefined }

/** It publishes 0, 1, 2 …, one every few milliseconds. */
export async function spawnServer (t: Test, port = 0): Promise<CountingServer> {
  const child = spawn(process.execPath, [SERVER, String(port)], { stdio: ['ignore', 'pipe', 'inherit'], env: plainNode() })
  const exited = once(child, 'exit')
  t.teardown(() => { child.kill('SIGKILL') })
  const [line] = await once(createInterface(child.stdout), 'line') as [string]
  const kill = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return signal === 'SIGKILL' ? exited.then(() => {}) : undefined
  }
  return { port: Number(line), kill }
}
