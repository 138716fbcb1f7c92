/** Who is compared: the program that serves, the packages that it is made of, how it is called in tables. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Peer {
  name: string
  /** Its server, from `benchmarks/`. */
  program: string
  /** Those that make it. */
  packages: readonly string[]
  what: string
}

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export const PEERS: readonly Peer[] = [
  peer('pastelli', ['fastify'], 'a topic; a generator'),
  peer('fastify-sse', ['@fastify/sse', 'fastify'], '`reply.sse.send` for each', '@fastify/sse'),
  peer('fastify-sse-v2', ['fastify-sse-v2', 'fastify'], '`reply.sse` for each; an iterable'),
  peer('better-sse', ['better-sse'], 'a channel; `session.iterate`; on node:http'),
  peer('hono', ['hono', '@hono/node-server'], '`streamSSE`, `writeSSE` for each'),
  peer('fastify-raw', ['fastify'], '`reply.hijack()` and `reply.raw.write` for each'),
  peer('node-http', [], '`response.write` for each', 'node:http')
]

/** As installed. */
export function versionOf (name: string): string {
  const folder = name === 'pastelli' ? ROOT : join(ROOT, 'node_modules', name)
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
}

function peer (program: string, packages: string[], what: string, name = program): Peer {
  return { name, program: `peers/servers/${program}`, packages: program === 'pastelli' ? [program, ...packages] : packages, what }
}
