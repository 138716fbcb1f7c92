/** The inspector, and who may use it. */
import fastify, { type FastifyInstance } from 'fastify'
import pastelli from 'pastelli'
import inspector, { type InspectorOptions } from 'pastelli/inspector'
import { describe, expect, test } from 'tstyche'

describe('the inspector', () => {
  test('takes hooks of any kind', async () => {
    const app: FastifyInstance = fastify()
    await app.register(pastelli)
    await app.register(inspector, { prefix: '/inspector', auth: async (request, reply) => { if (request.headers.authorization !== 'x') await reply.code(401).send() } })
    await app.register(inspector, { auth: [(_request, _reply, done) => { done() }, async () => {}], interval: 500 })
    await app.register(inspector, { insecure: true })
  })

  test('takes nothing else', () => {
    expect<InspectorOptions>().type.toBeAssignableFrom<{ auth: () => Promise<void> }>()
    expect<InspectorOptions>().type.not.toBeAssignableFrom<{ auth: string }>()
    expect<InspectorOptions>().type.not.toBeAssignableFrom<{ insecure: 'yes' }>()
    expect<InspectorOptions>().type.not.toBeAssignableFrom<{ interval: '1s' }>()
  })
})
