/** What nodes need of Redis: a hash of who lives, a stream to all, and one to each. */
import type { Exchange, Living, Parcel } from '../nodes/exchange.ts'
import { type Line, run } from './line.ts'
import { script } from './scripts.ts'

// An id of a stream, or '' if there is nothing in it.
type Look = readonly [isKnown: number, toAll: string, toThis: string, ...living: string[]]
type Streams = ReadonlyArray<readonly [key: string, entries: ReadonlyArray<readonly [id: string, fields: readonly [name: string, text: string]]>]>

const MAX_MESSAGES = 500

// So many are there for late hearers while the clock is behind the ids: of what is older nobody can tell then.
const MAX_UNDATED = 10_000

// The time is that of Redis, so that no two clocks have to agree.
const COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function post (ttl, from)
  for i = from, #ARGV do
    local stream = KEYS[i - from + 3]
    local id = redis.call('XADD', stream, 'MINID', string.format('%.0f', now - ttl), '*', 'message', ARGV[i])
    if tonumber(string.match(id, '^%d+')) > now + ttl then redis.call('XTRIM', stream, 'MAXLEN', '~', ${MAX_UNDATED}) end
    redis.call('PEXPIRE', stream, ttl)
  end
end
`

/**
 * This node lives. Under the id of each that does the hash has till when, how much it has said, and for how many ms it lives then:
 * where the clock was set back, it has no longer than that from now on.
 *
 * KEYS: the hash of those who live, the stream to all, the one to this node.
 * ARGV: its id, how much it has said, for how many ms it is taken for living.
 * Answers whether it was until now, the newest ids of the streams, then by turns a living node and how much it has said.
 */
const LOOK = script(`${COMMON}
local nodes, id, version, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local function live (node, said, span)
  redis.call('HSET', nodes, node, string.format('%.0f %s %s', now + tonumber(span), said, span))
end
local function newest (stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
  return last and last[1] or ''
end
local answer = { 0, newest(KEYS[2]), newest(KEYS[3]) }
local known = redis.call('HGETALL', nodes)
for i = 1, #known, 2 do
  local till, said, span = string.match(known[i + 1], '^(%d+) (%d+) (%d+)$')
  if not till or tonumber(till) <= now then
    redis.call('HDEL', nodes, known[i])
  elseif known[i] == id then
    answer[1] = 1
  else
    answer[#answer + 1] = known[i]
    answer[#answer + 1] = said
    if tonumber(till) > now + tonumber(span) then live(known[i], said, span) end
  end
end
live(id, version, ttl)
redis.call('PEXPIRE', nodes, ttl)
return answer
`)

/**
 * KEYS: the hash of those who live, the stream to this node, then for each message the stream that it goes to.
 * ARGV: how many ms a message is kept; the id of this node if it leaves, else ''; then the messages.
 */
const POST = script(`${COMMON}
if ARGV[2] ~= '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[2])
end
post(tonumber(ARGV[1]), 3)
`)

export class RedisExchange implements Exchange<Line> {
  readonly #line: Line
  readonly #prefix: string
  readonly #id: string
  readonly #ttl: string
  // The ids of what was heard last; null: nothing was looked at yet.
  #heard: [toAll: string, toThis: string] | null = null

  /** @param prefix of all keys */
  constructor (line: Line, prefix: string, id: string, ttl: number) {
    this.#line = line
    this.#prefix = prefix
    this.#id = id
    this.#ttl = String(ttl)
  }

  static async isUsed (line: Line, prefix: string): Promise<boolean> {
    return await line.send('EXISTS', keyOfNodes(prefix)) === 1
  }

  async open (signal: AbortSignal): Promise<Line> {
    return await this.#line.open(signal)
  }

  async look (own: Line, version: number): Promise<Living> {
    const keys = [keyOfNodes(this.#prefix), this.#stream(null), this.#stream(this.#id)]
    const [isKnown, toAll, toThis, ...living] = await run(own, LOOK, keys, [this.#id, String(version), this.#ttl]) as Look
    this.#heard = [placeOf(this.#heard?.[0], toAll), placeOf(this.#heard?.[1], toThis)]
    const versions = new Map<string, number>()
    for (let i = 0; i < living.length; i += 2) versions.set(living[i] as string, Number(living[i + 1]))
    return { isKnown: isKnown === 1, versions }
  }

  async hear (own: Line, ms: number): Promise<string[]> {
    const streams = [this.#stream(null), this.#stream(this.#id)]
    const heard = this.#heard as [string, string]
    const reply = await own.send('XREAD', 'COUNT', String(MAX_MESSAGES), 'BLOCK', String(ms), 'STREAMS', ...streams, ...heard)
    const texts: string[] = []
    for (const [key, entries] of streamsOf(reply)) {
      // A client that puts a prefix before each key does not take it off again.
      heard[streams.findIndex((stream) => key.endsWith(stream))] = entries.at(-1)?.[0] as string
      for (const [, [, text]] of entries) texts.push(text)
    }
    return texts
  }

  async post (parcels: readonly Parcel[]): Promise<void> {
    await this.#post(parcels, '')
  }

  async leave (parcels: readonly Parcel[]): Promise<void> {
    await this.#post(parcels, this.#id)
  }

  async #post (parcels: readonly Parcel[], leaves: string): Promise<void> {
    const keys = [keyOfNodes(this.#prefix), this.#stream(this.#id), ...parcels.map(({ to }) => this.#stream(to))]
    await run(this.#line, POST, keys, [this.#ttl, leaves, ...parcels.map(({ text }) => text)])
  }

  #stream (to: string | null): string {
    return to === null ? `${this.#prefix}:nodes:all` : `${this.#prefix}:nodes:to:${to}`
  }
}

function keyOfNodes (prefix: string): string {
  return `${prefix}:nodes`
}

// Where to go on: at the newest for the first time, else where it was, unless the streams have begun anew before that.
function placeOf (heard: string | undefined, newest: string): string {
  if (heard === undefined) return newest === '' ? '0-0' : newest
  return newest !== '' && isBehind(newest, heard) ? '0-0' : heard
}

function isBehind (one: string, other: string): boolean {
  const [ms, sequence] = one.split('-').map(Number) as [number, number]
  const [otherMs, otherSequence] = other.split('-').map(Number) as [number, number]
  return ms < otherMs || (ms === otherMs && sequence < otherSequence)
}

// By XREAD's answer, in RESP2 a list of pairs, in RESP3 a map, which a client may give as one flat list; null: nothing came.
function streamsOf (reply: unknown): Streams {
  if (reply === null) return []
  if (!Array.isArray(reply)) return [...reply instanceof Map ? reply : Object.entries(reply as object)] as unknown as Streams
  if (Array.isArray(reply[0])) return reply as unknown as Streams
  return Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]) as unknown as Streams
}
