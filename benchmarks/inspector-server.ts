/** Streams of a `/feed` with a name each, and what the inspector does about them, driven by hand. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pastelli from '../index.ts'
import { connectionColumns, connectionHas } from '../routes/inspector/columns.ts'
import { Own } from '../routes/inspector/own.ts'
import type { Work } from '../routes/inspector/slices.ts'
import { takeSnapshot } from '../routes/inspector/snapshot.ts'
import { answer } from './child.ts'

const LIFETIME = 120_000
const SLICE = 4

/** ms of CPU: on a busy machine, time also goes by while this process has no core. */
export interface Cost {
  snapshot: number
  list: number
  /** The longest one. */
  slice: number
  open: number
}

let names = 0

const app = fastify()
await app.register(pastelli)
app.stream('/feed', { topics: 'feed' }, (_request, { connection }) => { connection.name = `name-${names++ * 7_919 % 100_003}` })
await app.listen({ port: 0, host: '127.0.0.1' })

answer({ port: () => (app.server.address() as AddressInfo).port, look }, LIFETIME)

async function look (): Promise<Cost> {
  const { feed } = app.topics
  const scene = { connections: app.connections, feed, own: Own.of(app.connections), traffic: null }
  const snapshot = await drive(takeSnapshot(scene, null))
  const compare = connectionColumns['name'] as (typeof connectionColumns)[string]
  const list = await drive(snapshot.result.connections.view('feed', connectionHas, { name: 'name', isDescending: false, compare }))
  return { snapshot: snapshot.took, list: list.took, slice: Math.max(snapshot.longest, list.longest), open: list.result.length }
}

// As the inspector does it, with a look at the clock around each slice.
async function drive<Result> (work: Work<Result>): Promise<{ result: Result, took: number, longest: number }> {
  let took = 0
  let longest = 0
  for (;;) {
    await new Promise(setImmediate)
    const begun = performance.now()
    const before = process.cpuUsage()
    let step = work.next()
    while (step.done !== true && performance.now() < begun + SLICE) step = work.next()
    const { user, system } = process.cpuUsage(before)
    const slice = (user + system) / 1_000
    took += slice
    longest = Math.max(longest, slice)
    if (step.done === true) return { result: step.value, took, longest }
  }
}
