/** The address under which a phone finds a deck's remote, as text and as a QR code. */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import qrcode from 'qrcode'

export default async function invitation (app: FastifyInstance): Promise<void> {
  app.get<{ Params: { deck: string } }>('/decks/:deck/remote.svg', async (request, reply) => {
    const svg = await qrcode.toString(invitationTo(request.params.deck, request), { type: 'svg', margin: 0, color: { dark: '#2f2144' } })
    return reply.type('image/svg+xml').header('cache-control', 'no-cache').send(svg)
  })
}

/** What the presenter's own address is, but for a phone: to it, `localhost` would be the phone. */
export function invitationTo (deck: string, { protocol, host, hostname, port }: FastifyRequest): string {
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
  const authority = isLocal ? `${lanAddress() ?? hostname}${port === null ? '' : `:${port}`}` : host
  return `${protocol}://${authority}/decks/${encodeURIComponent(deck)}/remote`
}

/** This machine's address in its network, if it has one. */
export function lanAddress (): string | undefined {
  return Object.values(networkInterfaces()).flat().find((address) => address?.family === 'IPv4' && !address.internal)?.address
}
