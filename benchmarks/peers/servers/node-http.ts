/** node:http alone, the least that an app can do: an event is encoded once, and written to each response; Node gathers the writes of a turn. */
import { createServer, type ServerResponse } from 'node:http'
import { HEAD, HELLO, roomOf, serve, writeTokens } from '../serve.ts'

const subscribers = new Set<ServerResponse>()

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url as string, 'http://localhost')
  response.writeHead(200, HEAD)
  if (pathname === '/tokens') {
    void writeTokens(response, Object.fromEntries(searchParams))
    return
  }
  response.write(`data: ${HELLO}\n\n`)
  subscribers.add(response)
  response.on('close', () => { subscribers.delete(response) })
})

function broadcast (text: string): void {
  const bytes = Buffer.from(`data: ${text}\n\n`)
  for (const response of subscribers) response.write(bytes)
}

server.listen(0, '127.0.0.1')
await serve({ server, subscribers, broadcast, room: roomOf })
