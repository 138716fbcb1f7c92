/**
 * better-sse, as its guides say: sessions in a channel, `channel.broadcast`, and `session.iterate` for tokens; on node:http, the fastest that it
 * runs on. The serializer lets our text through, so that nothing is made JSON for each session. Its events have a type and an id, as always.
 * Nothing in it tells of room, so the publisher, and the generator of tokens, look at the response. Batches are for events that are there
 * together, which those of a burst are not. Without its keep-alive.
 */
import { createChannel, createSession, type Session } from 'better-sse'
import { createServer, type ServerResponse } from 'node:http'
import { counted } from '../../numbered.ts'
import { drain, HELLO, numbersOf, roomOf, serve, type TokensQuery, turn } from '../serve.ts'

const options = { serializer: String, keepAlive: null }

const channel = createChannel()
const subscribers = new Map<Session, ServerResponse>()

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url as string, 'http://localhost')
  const session = await createSession(request, response, options)
  if (pathname === '/tokens') {
    await session.iterate(waiting(response, Object.fromEntries(searchParams)))
    response.end()
    return
  }
  session.push(HELLO)
  channel.register(session)
  subscribers.set(session, response)
  session.once('disconnected', () => { subscribers.delete(session) })
})

async function * waiting (response: ServerResponse, query: TokensQuery): AsyncGenerator<string> {
  const { count, size, tick } = numbersOf(query)
  for (let n = 0; n < count && !response.destroyed; n++) {
    yield counted(n, size)
    if (response.writableNeedDrain) await drain(response)
    else if (tick === 1) await turn()
  }
}

server.listen(0, '127.0.0.1')
await serve({ server, subscribers: responses(), broadcast: channel.broadcast, room: roomOf })

function responses (): Iterable<ServerResponse> & { size: number } {
  return { get size () { return subscribers.size }, [Symbol.iterator]: () => subscribers.values() }
}
