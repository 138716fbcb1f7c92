/**
 * The page's own chat, whose answers outlive the page.
 *
 *     GET    /chats/:chat/turns       its turns so far, then each that begins or ends, to every tab that shows it
 *     POST   /chats/:chat/questions   { "text" }: 201 with the turn
 *     GET    /answers/:turn           the answer's tokens, for each client from where it was, then `end`
 *     DELETE /answers/:turn           stops it
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { event } from 'pastelli'
import { Chats, conversation, type Place, type Turn } from './chats.ts'
import type { Model } from './model.ts'

export interface AnswersOptions {
  model: Model
  /** How long an answer is written on when nobody reads it, ms. @default 20000 */
  abandonAfter?: number
}

interface Answer { Params: { turn: string } }
interface Question { Params: { chat: string }, Body: { text: string } }

const inChat = { type: 'object', properties: { chat: { type: 'string', pattern: '^[\\w-]{1,64}$' } } }
const question = { type: 'object', required: ['text'], properties: { text: { type: 'string', minLength: 1, maxLength: 2_000, pattern: '\\S' } } }

export default async function answers (app: FastifyInstance, { model, abandonAfter = 20_000 }: AnswersOptions): Promise<void> {
  const chats = new Chats()
  const stops = new Map<string, AbortController>()

  app.stream<{ Params: { chat: string } }>('/chats/:chat/turns', { schema: { params: inChat }, topics: ({ params }) => topicOf(params.chat) }, ({ params }, reply) => {
    // It is subscribed by now: what begins later comes behind this.
    reply.initChunk(chats.turnsOf(params.chat), { event: 'turns' })
  })

  app.post<Question>('/chats/:chat/questions', { schema: { params: inChat, body: question } }, async ({ params, body }, reply) => {
    const place = chats.ask(params.chat, body.text)
    if (place === null) return reply.code(409).send({ statusCode: 409, error: 'Conflict', message: 'This chat is full' })
    tell(place)
    return reply.code(201).header('location', `/answers/${place.turn.id}`).send(place.turn)
  })

  app.stream<Answer>('/answers/:turn', { preHandler: known, resumable: ({ params }) => params.turn, abandonAfter }, async function * ({ params }, _reply, { signal }) {
    const place = chats.find(params.turn) as Place
    const { turn } = place
    if (turn.state === 'writing') yield * write(place, signal)
    else yield { token: turn.answer }   // the log has forgotten it, and this demo has not
    yield event({ event: 'end', data: { state: turn.state } })
  })

  app.delete<Answer>('/answers/:turn', { preHandler: known }, async ({ params }, reply) => {
    const place = chats.find(params.turn) as Place
    const stop = stops.get(params.turn)
    stop?.abort()
    if (stop === undefined && place.turn.state === 'writing') end(place, 'stopped')   // nobody has asked for it yet
    return reply.code(204).send()
  })

  async function * write (place: Place, signal: AbortSignal): AsyncGenerator<{ token: string }> {
    const { turn } = place
    const stop = new AbortController()
    const stopped = AbortSignal.any([signal, stop.signal])
    stops.set(turn.id, stop)
    turn.answer = ''
    try {
      for await (const token of model.answer(conversation(place), stopped)) {
        turn.answer += token
        yield { token }
      }
      end(place, 'done')
    } catch (error) {
      if (signal.reason === 'shutdown') return   // the next process knows nothing of it: its page will see
      end(place, stopped.aborted ? 'stopped' : 'failed')
      if (!stopped.aborted) throw error
    } finally {
      stops.delete(turn.id)
    }
  }

  function end (place: Place, state: Turn['state']): void {
    place.turn.state = state
    tell(place)
  }

  async function known ({ params }: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { turn } = params as Answer['Params']
    if (chats.find(turn) === undefined) await reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'There is no such answer' })
  }

  function tell ({ chat, turn }: Place): void {
    app.topics.publish(topicOf(chat.id), turn, { event: 'turn' })
  }
}

function topicOf (chat: string): string {
  return `chat ${chat}`
}
