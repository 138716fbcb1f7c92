/** Resumable streams: the handler feeds a topic once, detached from any connection, and clients attach to it by position. */
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Host } from '../lib/connection/host.ts'
import { PST_ERR_ARGUMENT, PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'
import { failSource } from '../lib/source/failure.ts'
import { withPatience } from '../lib/source/patience.ts'
import type { Producer } from '../lib/source/run.ts'
import { kHost } from '../lib/symbols.ts'
import { producedTopic } from '../lib/topics/produced.ts'

/** Names the stream of a request: who asks for the same one gets the same one. */
export type ResumableKey<Request> = (request: Request) => string | Promise<string>

interface ResumableOptions { resumable: ResumableKey<FastifyRequest>, abandonAfter?: number | undefined }

type Handler = RouteOptions['handler']

const ABANDON_AFTER = 60_000
const MAX_KEY = 256

/**
 * The handler as a producer: called for the first client of a key, with a third argument, the `Producer`.
 * @param route tells the keys of one route from those of another
 * @throws PST_ERR_OPTION
 */
export function resuming (route: string, { resumable, abandonAfter = ABANDON_AFTER }: ResumableOptions, handler: Handler): Handler {
  if (typeof resumable !== 'function') throw new PST_ERR_OPTION('resumable', 'a function from a request to a key', typeof resumable)
  if (!(Number.isInteger(abandonAfter) && abandonAfter >= 0 && abandonAfter < 2 ** 31)) {
    throw new PST_ERR_OPTION('abandonAfter', 'an integer of milliseconds from 0 (never) up', show(abandonAfter))
  }
  return async function (request, reply) {
    const key: unknown = await resumable(request)
    if (typeof key !== 'string' || key === '' || key.length > MAX_KEY) {
      throw new PST_ERR_ARGUMENT('resumable', `a function that answers a key, a text of 1 to ${MAX_KEY} characters`, typeof key)
    }
    const { topics, producers } = this[kHost]
    const { connection } = reply
    const { events } = request.routeOptions.config[kHost] as Host
    const topic = producedTopic(route, key)
    const remains = await topics.remains(connection.lastEventId, topic)
    if (connection.reason !== null) return   // the client has left
    if (remains.what === 'nothing') return await stop(reply)
    const produce = (producer: Producer) => Reflect.apply(handler, this, [request, reply, producer]) as unknown
    const { errorData, terminator } = connection.settings
    const run = () => producers.run(topic, { key, abandonAfter, events, errorData, terminator, produce })
    const fail = (error: unknown) => { failSource(connection, error) }
    topics.attach(connection, topic, remains)
    if (!remains.hasEnded) producers.guard(topic, errorData, () => { run().catch(fail) })   // until its last client has left
    if (remains.what === 'more' && !producers.isRunning(topic)) return
    const first = run()
    await withPatience(first)
    first.catch(fail)   // patience had an end, and the stream is open
  }
}

// [spec] 204 is how a server tells an EventSource that has everything not to come back.
async function stop (reply: FastifyReply): Promise<void> {
  reply.code(204)
  await reply.send()
}
