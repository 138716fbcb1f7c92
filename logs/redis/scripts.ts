/** What has to happen in Redis as one: appends, and the look at which life of the log this is. */
import { createHash } from 'node:crypto'
import { MAX_SEQUENCE } from './place.ts'

export interface Script { readonly text: string, readonly sha: string }

// An empty stream is made along with the epoch, so that an epoch without a stream says that the stream was lost. A
// millisecond that has no more offsets is left for the next one.
const COMMON = `
local function begin (stream, key, epoch)
  redis.call('SET', key, epoch)
  if redis.call('EXISTS', stream) == 0 then
    redis.call('XGROUP', 'CREATE', stream, 'life', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', stream, 'life')
  end
  return epoch
end

local function parse (id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function leave (stream, id)
  local ms, sequence = parse(id)
  if sequence >= ${MAX_SEQUENCE} then redis.call('XSETID', stream, string.format('%.0f-0', ms + 1)) end
  return ms
end
`

/**
 * Appends a batch, and trims. A batch that was appended before is not appended again: its answer is kept for a while.
 *
 * KEYS: the stream, the epoch's, the writer's, those of the records' keys.
 * ARGV: an epoch in case that there is none, the batch's number, how many records and ms are retained, how many ms the
 * writer is known; then for each record the index of its key in KEYS or 0, the number of its fields, and these.
 * Answers the epoch and the ids, in a text.
 */
export const APPEND = script(`${COMMON}
local stream, epochKey, writer = KEYS[1], KEYS[2], KEYS[3]
local number, events, age, remembered = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local before = redis.call('GET', writer)
if before then
  local known, answer = string.match(before, '^(%d+) (.*)$')
  if known == number then return answer end
end
local epoch = redis.call('GET', epochKey)
if not epoch or redis.call('EXISTS', stream) == 0 then epoch = begin(stream, epochKey, ARGV[1]) end
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
if last then leave(stream, last[1]) end
local answer = { epoch }
local newest
local i = 6
while i <= #ARGV do
  local key, first = KEYS[tonumber(ARGV[i])], i + 2
  i = first + tonumber(ARGV[i + 1])
  local id = key and redis.call('GET', key)
  if not id or #redis.call('XRANGE', stream, id, id) == 0 then
    id = redis.call('XADD', stream, '*', unpack(ARGV, first, i - 1))
    if key then redis.call('SET', key, id, 'PX', age) end
    newest = leave(stream, id)
  end
  answer[#answer + 1] = id
end
if newest then
  redis.call('XTRIM', stream, 'MAXLEN', '~', events)
  redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f-0', math.max(0, newest - tonumber(age))))
end
answer = table.concat(answer, ' ')
redis.call('SET', writer, number .. ' ' .. answer, 'PX', remembered)
return answer
`)

/**
 * Where the log is. What was lost is found by comparison with what the caller has seen, and begins another life then,
 * whose ids are behind all that the caller has seen.
 *
 * A caller that has seen nothing can't compare. For one, a Redis that was started since, and does not write down all that it
 * takes, has lost something.
 *
 * KEYS: the stream, the epoch's, that of the run of Redis which was looked at last.
 * ARGV: an epoch in case that another life begins; the epoch and the newest id that the caller has seen, or '', and how
 * many entries there were in all up to that.
 * Answers the epoch, the newest id, how many entries there were in all, how many there are, and the oldest id or ''.
 */
export const LOOK = script(`${COMMON}
local stream, epochKey, runKey = KEYS[1], KEYS[2], KEYS[3]
local another, known, seen, added = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local function info ()
  if redis.call('EXISTS', stream) == 0 then return nil end
  local found, list = {}, redis.call('XINFO', 'STREAM', stream)
  for i = 1, #list, 2 do found[list[i]] = list[i + 1] end
  return found
end
local function isBehind (one, other)
  local ms, sequence = parse(one)
  local otherMs, otherSequence = parse(other)
  return ms < otherMs or (ms == otherMs and sequence < otherSequence)
end
local epoch, now = redis.call('GET', epochKey), info()
local isLost = not epoch or not now
local about = redis.pcall('INFO', 'server', 'persistence')
local run = type(about) == 'string' and string.match(about, 'run_id:(%w+)')
if run and run ~= redis.call('GET', runKey) then
  if redis.call('EXISTS', runKey) == 1 and seen == '' and not string.find(about, 'aof_enabled:1') then isLost = true end
  redis.call('SET', runKey, run)
end
if not isLost and epoch == known and seen ~= '' then
  local oldest = now['first-entry']
  isLost = now['entries-added'] < tonumber(added) or isBehind(now['last-generated-id'], seen)
  if oldest and not isBehind(seen, oldest[1]) and #redis.call('XRANGE', stream, seen, seen) == 0 then isLost = true end
end
if isLost then
  epoch = begin(stream, epochKey, another)
  now = info()
end
if seen ~= '' and isBehind(now['last-generated-id'], seen) then
  local ms = parse(seen)
  redis.call('XADD', stream, string.format('%.0f-0', ms + 1), 'epoch', epoch)
  now = info()
end
local oldest = now['first-entry']
return { epoch, now['last-generated-id'], now['entries-added'], now['length'], oldest and oldest[1] or '' }
`)

export function script (text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
