/**
 * A chat of Phoenix, carried by Pastelli: the page's script is the client that the Phoenix team ships, and what it talks to
 * is a channel in TypeScript. Pages and sockets come from one server.
 *
 *     /socket/websocket   what the client asks for
 *     /socket/longpoll    what it asks for where there are no WebSockets: open the page as `/?over=longpoll`
 *     POST /cut           cuts every connection, to see what becomes of the page
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import files from '@fastify/static'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli from 'pastelli'
import phoenix from 'pastelli/phoenix'
import pages from '../pastel/pages.ts'
import { lobby, type LobbyOptions } from './lobby.ts'

export async function buildApp (options: LobbyOptions = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(server)
  await app.register(pastelli)
  await app.register(pages, { example: 'phoenix-chat' })
  await app.register(files, { root: dirname(fileURLToPath(import.meta.resolve('phoenix'))), prefix: '/phoenix/', decorateReply: false })
  await app.register(phoenix, { channels: { 'rooms:*': lobby(options) } })

  app.post('/cut', async (_request, reply) => {
    for (const connection of app.connections) connection.destroy()
    return reply.code(204).send()
  })

  app.get('/', async (_request, reply) => reply.sendFile('lobby.html'))
  return app
}
