/**
 * A slide deck that is driven from phones: the pages, and what they need.
 *
 * Who finds whom. A deck has a *key*, made by this server and carried in the address of its page. The presenter shows
 * the key as a QR code; whoever scans it holds a remote of that deck. So a key names a pairing, never a connection:
 * connections have ids of their own, made by Pastelli, and they are told to nobody but the other side of the pairing.
 *
 * Ids end with their connections, and all of them end when the server restarts. Nobody has to notice: both pages come
 * back with the key in their address, get new ids, and are told each other's (see decks.ts). The server keeps nothing
 * but the connections that are open.
 */
import { randomBytes } from 'node:crypto'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli from 'pastelli'
import pages from '../pastel/pages.ts'
import decks from './decks.ts'
import invitation from './invitation.ts'

export async function buildApp (options: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(options)
  await app.register(pastelli, {
    // Come back a second after a stream broke.
    retry: 1_000,
    // A heartbeat that pages can hear: when it stays away they know that the line is dead, though nobody closed it.
    heartbeat: 5_000,
    heartbeatEvent: 'heartbeat'
  })
  await app.register(pages, { example: 'remote-control' })
  await app.register(invitation)
  await app.register(decks)

  app.get('/', async (_request, reply) => reply.redirect(`/decks/${randomBytes(12).toString('base64url')}`))
  app.get('/decks/:deck', async (_request, reply) => reply.sendFile('presenter.html'))
  app.get('/decks/:deck/remote', async (_request, reply) => reply.sendFile('remote.html'))
  return app
}
