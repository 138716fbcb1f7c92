/** A demo's server in a process of its own: where it says that it is, and that it ends well when it is told to. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { plainNode } from './plain-node.ts'

export interface Demo {
  /** What its one line says, such as `http://localhost:1234`. */
  origin: string
  /** Sends the signal; fails the test unless this stream ends properly, and then the server, which has said no more. */
  ends: (stream: Response, signal: NodeJS.Signals) => Promise<void>
}

/** @param path of its server's file */
export async function startDemo (t: Test, path: string): Promise<Demo> {
  const server = spawn(process.execPath, [path], { cwd: tmpdir(), env: { ...plainNode(), PORT: '0' } })
  t.teardown(() => { server.kill('SIGKILL') })
  const exited = once(server, 'exit')
  const lines: string[] = []
  let complaints = ''
  server.stderr.on('data', (text) => { complaints += text })
  const output = createInterface(server.stdout).on('line', (line) => { lines.push(line) })
  await once(output, 'line')
  const [origin] = /http:\/\/localhost:\d+/.exec(lines[0] as string) ?? []
  t.type(origin, 'string')
  const ends = async (stream: Response, signal: NodeJS.Signals) => {
    server.kill(signal)
    t.match(await stream.text(), /^retry: \d+$/m, 'the stream ends properly, and its client is told when to come back')
    t.same(await exited, [0, null])
    t.equal(lines.length, 1)
    t.equal(complaints, '')
  }
  return { origin: origin as string, ends }
}
