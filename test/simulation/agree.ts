/** Whether the real thing is as the model says. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import type { CloseReason, Connection } from '../../index.ts'
import type { Model, Open } from './model.ts'
import type { Seen } from './reading.ts'
import type { Wire } from './wire.ts'
import type { World } from './world.ts'

// At its slowest the clock looks so often, ms.
const PERIOD = 1_000

const SLACK = 3 * PERIOD

/** Everything; what the model takes from the real thing, where it leaves a choice, is checked first. */
export function agree (model: Model, world: World): void {
  const { now } = world.time
  model.log.trim(now)
  for (const open of model.open) {
    compare(model, world, open)
    decide(model, world, open)
  }
  for (const { connection, reason } of world.closings.splice(0)) close(model, world, connection, reason)
  for (const open of model.open) stands(model, world, open)
  registryAgrees(model, world)
  logAgrees(model, world)
  for (const [n, wire] of world.wires) {
    wire.forget()
    if (wire.connection?.phase !== 'closed') continue
    if (!wire.hasVanished) world.remember(wire)
    world.wires.delete(n)
  }
}

/** What the connection was given by now is what it had coming, in order. */
export function compare ({ settings, log }: Model, world: World, open: Open): void {
  const wire = wireOf(world, open)
  const { seen } = wire.reading
  for (let next = seen[wire.compared]; next !== undefined; next = seen[++wire.compared]) {
    if (checkTime(settings.heartbeat, open, wire, next, settings.heartbeatEvent)) world.note('heartbeat')
    const { id, data, event, retry } = next
    if (retry !== undefined) ok(open.ends === 'shutdown' && retry >= 1_000 && retry <= 3_000, `${say(open)}: retry ${retry}`)
    else if (data === undefined || isHeartbeat(next, settings.heartbeatEvent)) checkPosition(open, id)
    else if (event === 'gap') checkGap(open, JSON.parse(data))
    else if (id === undefined) equal(data, open.direct.shift(), `${say(open)}: what was sent to it alone`)
    else checkEvent(open, id, data)
  }

  function checkPosition (open: Open, id: string | undefined): void {
    if (id === undefined) return
    const [first] = open.coming
    if (first !== undefined && 'position' in first) {
      equal(id, first.position, `${say(open)}: where it starts`)
      open.coming.shift()
      return
    }
    const offset = offsetOf(id)
    ok(first === undefined || ('entry' in first && first.entry.offset > offset), `${say(open)}: told ${id}, and has coming ${JSON.stringify(first)}`)
    ok(offset >= open.offset && offset <= log.head, `${say(open)}: told ${id} at ${open.offset} of ${log.head}`)
    open.offset = offset
  }

  function checkEvent (open: Open, id: string, data: string): void {
    const first = open.coming.shift()
    ok(first !== undefined && 'entry' in first, `${say(open)}: given ${id}, and has coming ${JSON.stringify(first)}`)
    world.note('event')
    deepEqual({ id, data }, { id: first.entry.id, data: first.entry.data }, `${say(open)}: the next event`)
    open.offset = first.entry.offset
  }

  function checkGap (open: Open, gap: { reason: string, from: string | null, to: string }): void {
    world.note(`gap ${gap.reason}`)
    const [first] = open.coming
    if (first !== undefined && 'gap' in first) {
      deepEqual(gap, first.gap, `${say(open)}: the gap before the first event`)
      open.coming.shift()
      return
    }
    const [from, to] = [offsetOf(gap.from ?? ''), offsetOf(gap.to)]
    equal(gap.reason, 'overflow', say(open))
    equal(open.route, '/skip', say(open))
    ok(from >= open.offset && to <= log.head && from < to, `${say(open)}: the gap is from ${from} to ${to}, at ${open.offset} of ${log.head}`)
    ok(first === undefined || ('entry' in first && first.entry.offset > from), `${say(open)}: before the gap from ${from} it had ${JSON.stringify(first)} coming`)
    ok(log.hasLost(open.topics, from), `${say(open)}: nothing behind ${from} is lost`)
    open.coming = open.coming.filter((coming) => 'entry' in coming && coming.entry.offset > to)
    open.offset = to
  }

  function offsetOf (id: string): number {
    const [epoch, offset] = id.split(':')
    equal(epoch, log.epoch, `${say(open)}: the epoch of ${id}`)
    return Number(offset)
  }
}

/** Where the connection is in the log, checked. */
export function place (model: Model, world: World, open: Open): void {
  const { cursor, phase } = connectionOf(world, open)
  if (open.placedAt === Infinity || open.ends !== null || phase !== 'open' || cursor === null) return
  const { offset } = cursor
  const [first] = open.coming
  ok(offset >= open.offset && offset <= model.log.head, `${say(open)}: the cursor is at ${offset}, ${open.offset} was given, of ${model.log.head}`)
  ok(first === undefined || ('entry' in first && first.entry.offset > offset), `${say(open)}: the cursor is at ${offset}, and ${JSON.stringify(first)} was not given`)
  open.offset = offset
}

export function wireOf ({ wires }: World, open: Open): Wire {
  const wire = wires.get(open.n)
  ok(wire !== undefined, `${say(open)} has a wire`)
  return wire
}

export function connectionOf (world: World, open: Open): Connection {
  const { connection } = wireOf(world, open)
  ok(connection !== null, `${say(open)} has a connection`)
  return connection
}

function say ({ n, client, route, format, ends }: Open): string {
  return `connection ${n} of client ${client}, ${format} from ${route}${ends === null ? '' : `, which ends with ${ends}`}`
}

// Answers whether it is a heartbeat. A sign of life comes when nothing was said for its time, or the position was not told for that long; neither lasts longer than 1.5 of it.
function checkTime (heartbeat: number, open: Open, wire: Wire, seen: Seen, heartbeatEvent: string | null): boolean {
  const { at, id, kind } = seen
  if (kind === 'ping' || kind === 'close') return kind === 'ping'
  const quiet = at - wire.comparedAt
  const untold = at - Math.max(wire.toldAt, Math.min(open.placedAt, at))
  const isBeat = isHeartbeat(seen, heartbeatEvent) && open.coming.every((coming) => !('position' in coming))
  if (isBeat) ok(quiet >= heartbeat || untold >= heartbeat, `${say(open)}: a heartbeat after ${quiet} ms, ${untold} ms after the last position`)
  if (tells(open, heartbeatEvent) && wire.readsSince <= wire.comparedAt) ok(at - quietSince(open, wire) <= heartbeat * 1.5, `${say(open)}: nothing was said for ${quiet} ms`)
  wire.comparedAt = at
  if (id !== undefined) wire.toldAt = at
  return isBeat
}

// Whether it is given signs of life.
function tells ({ format, placedAt }: Open, heartbeatEvent: string | null): boolean {
  return format === 'event-stream' || (format === 'websocket' ? placedAt !== Infinity : heartbeatEvent !== null)
}

// A WebSocket that is subscribed to nothing has pings alone.
function quietSince ({ format, placedAt }: Open, { comparedAt }: Wire): number {
  return format === 'websocket' ? Math.max(comparedAt, placedAt) : comparedAt
}

function isHeartbeat ({ event, data, kind, id }: Seen, heartbeatEvent: string | null): boolean {
  if (heartbeatEvent !== null) return event === heartbeatEvent
  return (kind === 'event' && data === undefined && id !== undefined)
}

// An end that nobody asked for.
function decide (model: Model, world: World, open: Open): void {
  const ending = world.endings.get(connectionOf(world, open))
  if (open.ends !== null || ending === undefined) return
  const wire = wireOf(world, open)
  checkReason(model, open, wire, ending.reason, ending.at)
  if (wire.isReading && ending.reason === 'expired') deepEqual(open.coming, [], `${say(open)}: what it was not given before`)
  open.coming = []
  open.direct = []
  model.end(open, ending.reason, ending.at)
}

function close (model: Model, world: World, connection: Connection, reason: CloseReason): void {
  const open = model.open.find((open) => world.wires.get(open.n)?.connection === connection)
  ok(open !== undefined, `a close (${reason}) of what is not open, or has closed before`)
  equal(reason, open.ends, say(open))
  equal(connection.reason, reason)
  equal(world.endings.get(connection)?.reason, reason, 'the signal says so, too')
  equal(connection.phase, 'closed')
  equal(world.logged.filter((id) => id === connection.id).length, 1, `${say(open)}: its end is logged once`)
  world.logged = world.logged.filter((id) => id !== connection.id)
  world.note(`closed ${reason}`)
  model.closed(open, reason)
}

// What nobody asked for: time ran out, or the log was trimmed behind it.
function checkReason ({ settings, log }: Model, open: Open, { line, heardAt }: Wire, reason: CloseReason, at: number): void {
  const age = at - open.openedAt
  const { maxAge, writeTimeout, heartbeat } = settings
  if (reason === 'expired') {
    const isOld = open.route === '/aged' && age >= maxAge * 0.75 && age <= maxAge + SLACK
    ok(isOld || (at >= open.expiresAt - 1 && at <= open.expiresAt + SLACK), `${say(open)}: expired at the age of ${age} ms; it should by ${open.expiresAt}`)
  } else if (reason === 'timeout') {
    const isStuck = at - line.movedAt >= writeTimeout
    const isSilent = open.format === 'websocket' && !line.isReading && at - heardAt >= heartbeat * 2
    ok(isStuck || isSilent, `${say(open)}: timeout, ${at - line.movedAt} ms after it took something, ${at - heardAt} ms after it said something`)
  } else {
    equal(reason, 'overflow', `${say(open)}: why it has closed`)
    ok(open.route !== '/skip' && log.hasLost(open.topics, open.offset), `${say(open)}: overflow, and everything behind ${open.offset} is there`)
  }
}

// Of one that is still open: that it may be.
function stands (model: Model, world: World, open: Open): void {
  const { settings, log } = model
  const { now } = world.time
  const wire = wireOf(world, open)
  const { line } = wire
  const connection = connectionOf(world, open)
  place(model, world, open)
  if (open.ends !== null) {
    ok(!wire.isReading && !line.isGone, `${say(open)}: still open although its client reads`)
    ok(now - Math.max(open.endsAt, line.movedAt) <= settings.drain + SLACK, `${say(open)}: not cut`)
    return
  }
  equal(connection.phase, 'open', say(open))
  if (open.route === '/aged') ok(now - open.openedAt <= settings.maxAge + SLACK, `${say(open)}: too old`)
  ok(now <= open.expiresAt + SLACK, `${say(open)}: expired`)
  if (line.waiting !== 0) ok(now - line.movedAt <= settings.writeTimeout + SLACK, `${say(open)}: takes nothing`)
  ok(connection.queued <= settings.maxBuffered * 2 + 300_000, `${say(open)}: ${connection.queued} bytes are queued`)
  const isLost = open.route !== '/skip' && log.hasLost(open.topics, open.offset)
  wire.lostSince = isLost ? Math.min(wire.lostSince, now) : Infinity
  ok(!isLost || now - wire.lostSince <= SLACK, `${say(open)}: what it has coming is lost, and it is open`)
  if (!wire.isReading) return
  deepEqual(open.coming, [], `${say(open)}: what it was not given`)
  deepEqual(open.direct, [], `${say(open)}: what it was not given of what was sent to it alone`)
  if (open.placedAt !== Infinity) equal(open.offset, log.head, `${say(open)}: its cursor`)
  equal(connection.cursor?.behindSince ?? 0, 0, `${say(open)}: it is behind`)
  equal(connection.queued, 0, say(open))
  const most = settings.heartbeat * 1.5
  if (tells(open, settings.heartbeatEvent)) {
    const quiet = now - Math.max(quietSince(open, wire), wire.readsSince)
    const untold = now - Math.max(wire.toldAt, Math.min(open.placedAt, now), wire.readsSince)
    ok(quiet <= most, `${say(open)}: nothing was said for ${quiet} ms`)
    ok(untold <= most, `${say(open)}: not told where it is for ${untold} ms`)
  }
  if (open.format === 'websocket') ok(now - Math.max(wire.heardAt, wire.readsSince) <= most, `${say(open)}: not asked whether it lives for ${now - wire.heardAt} ms`)
}

function registryAgrees (model: Model, world: World): void {
  const { connections, topics } = world.server
  deepEqual(Array.from(connections, ({ id }) => id), model.open.map((open) => connectionOf(world, open).id), 'the registry, in the order of opening')
  equal(connections.size, model.open.length)
  for (const [reason, count] of Object.entries(connections.counts)) equal(count, model.counts[reason as CloseReason] ?? 0, `how many closed with ${reason}`)
  for (const topic of ['a', 'b', 'c', 'd']) equal(topics.subscribers(topic), model.open.filter((open) => open.ends === null && open.topics.has(topic)).length, `subscribers of ${topic}`)
  for (const open of model.open) ok(connections.named(connectionOf(world, open).name as string).includes(connectionOf(world, open)), `${say(open)} is found by its name`)
  deepEqual(world.logged, [], 'ends that were logged of what has not closed')
  deepEqual(world.noise, [], 'nothing is logged above info')
}

function logAgrees ({ log, settings: { retention } }: Model, { log: real }: World): void {
  const { events, bytes, byTopic } = real.stock
  deepEqual({ head: real.head, events, bytes }, { head: log.head, events: log.entries.length, bytes: log.bytes }, 'what the log retains')
  ok(events <= retention.events && bytes <= retention.bytes, 'and it is within its bounds')
  for (const [topic, count] of byTopic) equal(count, log.entries.filter((entry) => entry.topic === topic).length, `what it retains of ${topic}`)
}
