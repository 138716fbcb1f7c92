/** With @fastify/swagger, stream routes are in the document, in every version of OpenAPI, and the document is valid. */
import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { describeStream } from '../../index.ts'
import { build } from '../support/server.ts'

const tick = { type: 'object', properties: { at: { type: 'integer' } }, required: ['at'] }

interface Operation { parameters?: unknown[], responses: Record<string, { description: string, content: Record<string, Record<string, object>> }> }

async function documentOf (t: Test, openapi: string): Promise<(path: string) => Operation> {
  const { app } = await build(t, (app) => {
    app.addSchema({ $id: 'tick', ...tick })
    app.stream('/any', () => {})
    app.stream('/events/:id', { schema: { params: { type: 'object', properties: { id: { type: 'string' } } }, events: { tick, message: { type: 'string' } } } }, () => {})
    app.stream('/shared', { formats: ['event-stream'], schema: { events: { tick: { $ref: 'tick#' } } } }, () => {})
    app.stream('/own', { schema: { response: { 200: { description: 'As the app says', type: 'string' }, 404: { description: 'Nothing here', type: 'null' } } } }, () => {})
    app.stream('/hidden', { config: { swaggerTransform: false } }, () => {})
    app.stream('/socket', { websocket: { init: () => {} } })
    app.stream('/both', { websocket: { init: () => {} } }, () => {})
    app.get('/plain', { schema: { response: { 200: { type: 'string' } } } }, async () => 'x')
  }, { before: (app) => app.register(swagger, { openapi: { openapi, info: { title: 'Streams', version: '1' } } }) })
  await app.ready()
  const document = JSON.parse(JSON.stringify(app.swagger()))
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, `valid as ${openapi}: ${JSON.stringify(errors)}`)
  t.notOk('/socket' in document.paths, 'it has no way to say what a WebSocket is')
  t.match(document.paths['/both'].get.responses[200], { description: 'A stream of events' })
  return (path) => document.paths[path].get
}

t.test('OpenAPI 3.2 says what the items of a stream are', async (t) => {
  const operation = await documentOf(t, '3.2.0')
  const { description, content } = operation('/events/{id}').responses[200] ?? { description: '', content: {} }
  t.equal(description, 'A stream of events')
  t.same(Object.keys(content), ['text/event-stream', 'application/x-ndjson', 'text/plain', 'application/json'], 'in each of the formats')
  const id = { type: 'string', description: 'The position to resume from' }
  t.same(content['text/event-stream']?.['itemSchema'], {
    oneOf: [
      { type: 'object', properties: { event: { type: 'string', enum: ['tick'] }, id, data: tick }, required: ['data'] },
      { type: 'object', properties: { event: { type: 'string', enum: ['message'] }, id, data: { type: 'string' } }, required: ['data'] }
    ]
  })
  const items = { oneOf: [{ type: 'object', properties: { event: { type: 'string', enum: ['tick'] }, id: { type: 'string' }, data: tick }, required: ['event', 'data'] }, { type: 'string' }] }
  t.same(content['application/x-ndjson']?.['itemSchema'], items)
  t.same(content['application/json'], { schema: { type: 'array', items } })
  t.same(content['text/plain'], { schema: { type: 'string' } })
  t.match(operation('/events/{id}').parameters, [{ in: 'path', name: 'id' }], 'and the rest of the schema is there as well')
  t.match(operation('/any').responses[200]?.content['text/event-stream']?.['itemSchema'], { required: ['data'] }, 'a route that declares no events has any')
})

for (const version of ['3.0.3', '3.1.0']) {
  t.test(`a document of OpenAPI ${version} has the same under x-itemSchema`, async (t) => {
    const operation = await documentOf(t, version)
    const media = operation('/shared').responses[200]?.content
    t.same(Object.keys(media ?? {}), ['text/event-stream'], 'a route with one format has one')
    t.match(media?.['text/event-stream']?.['schema'], { type: 'string', 'x-itemSchema': { properties: { event: { enum: ['tick'] } } } })
    t.notOk(media?.['text/event-stream']?.['itemSchema'])
  })
}

t.test('what the app says of its responses goes first', async (t) => {
  const operation = await documentOf(t, '3.1.0')
  t.match(operation('/own').responses, { 200: { description: 'As the app says' }, 404: { description: 'Nothing here' } })
  t.match(operation('/hidden').responses[200], { description: 'Default Response' }, 'swaggerTransform: false leaves a route as it is')
  t.match(operation('/plain').responses[200]?.content, { 'application/json': { schema: { type: 'string' } } }, 'and other routes are left alone')
})

t.test('an app\'s own transform can call it', async (t) => {
  const seen: string[] = []
  const { app } = await build(t, (app) => {
    app.stream('/', { schema: { events: { tick } }, config: { swaggerTransform: (described: Parameters<typeof describeStream>[0]) => { seen.push(described.url); return describeStream(described) } } } as never, () => {})
  }, { before: (app) => app.register(swagger, { openapi: { openapi: '3.2.0' } }) })
  await app.ready()
  t.match(app.swagger(), { paths: { '/': { get: { responses: { 200: { description: 'A stream of events' } } } } } })
  t.same(seen, ['/'])
})

t.test('in a Swagger 2.0 document, streams are plain', async (t) => {
  const { app } = await build(t, (app) => { app.stream('/', { schema: { events: { tick } } }, () => {}) }, { before: (app) => app.register(swagger, { swagger: {} }) })
  await app.ready()
  t.match(app.swagger(), { swagger: '2.0', paths: { '/': { get: { responses: { 200: { description: 'Default Response' } } } } } })
})
