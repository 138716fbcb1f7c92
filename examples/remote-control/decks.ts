/**
 * The streams of the decks' presenters and remotes, and the turns sent to them.
 *
 *     GET  /connections?deck=key   to a presenter: handshake, then join and leave
 *     GET  /remote?deck=key        to a remote: handshake, then presenters whenever they change
 *     POST /connections/:id        { "action": "turn", "which": 37 | 39 }: to that one connection
 *
 * Without a key they meet in one common deck, which is handy with curl.
 */
import type { FastifyInstance } from 'fastify'
import type { Connection, ConnectionState } from 'pastelli'
import { invitationTo } from './invitation.ts'

declare module 'pastelli' {
  interface ConnectionState {
    role?: 'presenter' | 'remote'
    deck?: string
    /** A presenter's: the address of the remote's page. */
    link?: string
    /** A remote's: what people call it, and how it looks. */
    colour?: Colour
  }
}

interface Colour { name: string, hue: number }
interface Turn { action: 'turn', which: 37 | 39 }

// Names of pastels, with the hue that both pages paint them in.
const COLOURS: Colour[] = [
  { name: 'Mint', hue: 165 }, { name: 'Peach', hue: 50 }, { name: 'Lilac', hue: 305 }, { name: 'Sky', hue: 235 },
  { name: 'Butter', hue: 95 }, { name: 'Rose', hue: 5 }, { name: 'Lagoon', hue: 200 }, { name: 'Pistachio', hue: 130 }
]

const key = { type: 'object', properties: { deck: { type: 'string', default: 'common', pattern: '^[\\w-]{1,64}$' } } }
const turn = {
  type: 'object',
  required: ['action', 'which'],
  properties: {
    action: { type: 'string', enum: ['turn'] },
    which: { type: 'integer', enum: [37, 39] }   // the codes of the left and the right arrow key
  }
}

export default async function decks (app: FastifyInstance): Promise<void> {
  const { connections } = app

  app.stream<{ Querystring: { deck: string } }>('/connections', { schema: { querystring: key } }, (request, reply) => {
    const { deck } = request.query
    join(reply.connection, { role: 'presenter', deck, link: invitationTo(deck, request) })
  })

  app.stream<{ Querystring: { deck: string } }>('/remote', { schema: { querystring: key } }, (request, reply) => {
    const { deck } = request.query
    const colour = freeColour(remotesOf(deck))
    join(reply.connection, { role: 'remote', deck, colour })
    reply.initChunk({ id: reply.connection.id, ...colour }, { event: 'handshake' })
  })

  app.post<{ Params: { id: string }, Body: Turn }>('/connections/:id', { schema: { body: turn } }, async (request, reply) => {
    const { action, which } = request.body
    // True, or a promise if the client is slow: this answer need not wait for it. Else the connection has ended.
    const sent = connections.get(request.params.id)?.event({ which }, { event: action })
    if (!sent) return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'There is no such connection' })
    return reply.code(201).send()
  })

  // The presenter's handshake waits for this moment, at which it is in the registry itself: a remote that opens before
  // is in the list, one that opens after is a join, and there is no gap between the two.
  connections.on('open', (connection) => {
    const { role, deck, link } = connection.state
    if (deck === undefined) return
    if (role === 'remote') {
      tell(presentersOf(deck), 'join', portrait(connection))
      tell([connection], 'presenters', presentersOf(deck).map(({ id }) => id))
    } else {
      tell([connection], 'handshake', { id: connection.id, link, remotes: remotesOf(deck).map(portrait) })
      tell(remotesOf(deck), 'presenters', presentersOf(deck).map(({ id }) => id))
    }
  })

  // However it ended: a closed tab, a phone without a signal, a restart. It is in the registry no more.
  connections.on('close', ({ id, state: { role, deck } }) => {
    if (deck === undefined) return
    if (role === 'remote') tell(presentersOf(deck), 'leave', { id })
    else tell(remotesOf(deck), 'presenters', presentersOf(deck).map(({ id }) => id))
  })

  function join (connection: Connection, state: ConnectionState): void {
    connection.state = state
    connection.name = `${state.role} of ${state.deck}`
  }

  function presentersOf (deck: string): Connection[] {
    return connections.named(`presenter of ${deck}`)
  }

  function remotesOf (deck: string): Connection[] {
    return connections.named(`remote of ${deck}`)
  }
}

function tell (listeners: Connection[], event: string, data: unknown): void {
  for (const connection of listeners) connection.event(data, { event })
}

function portrait ({ id, state }: Connection): object {
  return { id, ...state.colour }
}

/** Mint, Peach … and when all are taken Mint 2. */
function freeColour (remotes: Connection[]): Colour {
  const taken = new Set(remotes.map(({ state }) => state.colour?.name))
  for (let round = 1; ; round++) {
    for (const { name, hue } of COLOURS) {
      const numbered = round === 1 ? name : `${name} ${round}`
      if (!taken.has(numbered)) return { name: numbered, hue }
    }
  }
}
