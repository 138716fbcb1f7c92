/** What has to happen in Redis as one: appends, and the look at which life of the log this is. */
import { createHash } from 'node:crypto'
import { MAX_SEQUENCE } from './place.ts'

export interface Script { readonly text: string, readonly sha: string }

// An empty stream is made along with the epoch, so that an epoch without a stream says that the stream was lost.
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
    local ms, sequence = parse(id)
    if sequence >= ${MAX_SEQUENCE} then redis.call('XSETID', stream, string.format('%.0f-0', ms + 1)) end
    newest = ms
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
 * KEYS: the stream, the epoch's.
 * ARGV: an epoch in case that another life begins; the epoch and the newest id that the caller has seen, or '', and how
 * many entries there were in all up to that.
 * Answers the epoch, the newest id, how many entries there were in all, how many there are, and the oldest id or ''.
 */
export const LOOK = script(`${COMMON}
local stream, epochKey = KEYS[1], KEYS[2]
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

function script (text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
