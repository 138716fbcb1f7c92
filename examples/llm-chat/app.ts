/**
 * A chat with a small language model, which has no network and no key and always answers the same: a page whose answers
 * go on when it is reloaded, and the endpoints that other clients of such models expect.
 */
import { randomBytes } from 'node:crypto'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import pastelli from 'pastelli'
import pages from '../pastel/pages.ts'
import answers, { type AnswersOptions } from './answers.ts'
import completions from './completions.ts'
import { crayon } from './model.ts'
import uiMessages from './ui-messages.ts'

export async function buildApp ({ model = crayon(), ...options }: Partial<AnswersOptions> = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify(server)
  await app.register(pastelli, {
    // Come back a second after a stream broke.
    retry: 1_000,
    // A heartbeat that the page can hear: when it stays away, the line is dead, though nobody closed it.
    heartbeat: 5_000,
    heartbeatEvent: 'heartbeat'
  })
  await app.register(pages, { example: 'llm-chat' })
  await app.register(answers, { model, ...options })
  await app.register(completions, { model })
  await app.register(uiMessages, { model })

  app.get('/', async (_request, reply) => reply.redirect(`/chats/${randomBytes(12).toString('base64url')}`))
  app.get('/chats/:chat', async (_request, reply) => reply.sendFile('chat.html'))
  // To see what becomes of an answer that is being written.
  app.post('/cut', async (_request, reply) => {
    for (const connection of app.connections) connection.destroy()
    return reply.code(204).send()
  })
  return app
}
