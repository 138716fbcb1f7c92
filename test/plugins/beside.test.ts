/** Beside streams in one app: plain answers, files, bodies and uploads work as ever, over every protocol. */
import { Readable } from 'node:stream'
import multipart from '@fastify/multipart'
import statics from '@fastify/static'
import { Agent, EventSource, fetch, type RequestInit } from 'undici'
import t, { type Test } from 'tap'
import { start, type ServerOptions } from '../support/server.ts'
import { until } from '../support/until.ts'

async function serve (t: Test, options: ServerOptions) {
  const root = t.testdir({ 'index.html': '<title>files</title>', 'large.txt': 'x'.repeat(300_000) })
  return await start(t, async (app) => {
    await app.register(statics, { root, prefix: '/files/' })
    await app.register(multipart)
    app.stream('/news', (_request, reply) => { reply.event('hallo!', { event: 'greeting', id: 1 }) })
    app.get('/send', (_request, reply) => { reply.code(203).header('x-mine', 'yes').send({ plain: true }) })
    app.get('/source', (_request, reply) => { reply.type('text/plain').send(Readable.from(['a', 'b', 'c'])) })
    app.get('/web', (_request, reply) => { reply.send(new Response('from the web', { headers: { 'x-web': '1' } })) })
    app.get('/nothing', async (_request, reply) => { reply.code(204) })
    app.get('/file', (_request, reply) => reply.sendFile('index.html'))
    app.post('/body', async (request) => ({ got: request.body }))
    app.post('/upload', async (request) => {
      const file = await request.file()
      return { name: file?.filename, size: (await file?.toBuffer())?.length }
    })
    // What the upload says goes to whoever listens.
    app.post('/announce', async (request, reply) => {
      for (const connection of app.connections) await connection.event(request.body)
      return await reply.code(201).send()
    })
  }, options)
}

for (const [name, options] of Object.entries({ http: {}, https: { tls: true }, http2: { tls: true, http2: true, allowHTTP1: true } })) {
  t.test(`over ${name}`, async (t) => {
    const { app, origin, noise } = await serve(t, options)
    const dispatcher = new Agent({ allowH2: name === 'http2', connect: { rejectUnauthorized: false } })
    t.teardown(async () => { await dispatcher.destroy() })
    const ask = async (path: string, init: RequestInit = {}) => await fetch(origin + path, { ...init, dispatcher })

    const source = new EventSource(`${origin}/news`, { dispatcher } as object)
    t.teardown(() => { source.close() })
    const heard: string[] = []
    source.addEventListener('greeting', (event) => { heard.push(`greeting ${String((event as MessageEvent).data)}`) })
    source.addEventListener('message', ({ data }) => { heard.push(String(data)) })
    await until(() => heard.length === 1, 'the stream is open')
    t.equal([...app.connections][0]?.transport, name === 'http2' ? 'http2' : 'http1')

    t.test('reply.send', async (t) => {
      const response = await ask('/send')
      t.same([response.status, response.headers.get('x-mine'), await response.json()], [203, 'yes', { plain: true }])
      t.equal(await (await ask('/source')).text(), 'abc')
      const web = await ask('/web')
      t.same([web.headers.get('x-web'), await web.text()], ['1', 'from the web'])
      t.equal((await ask('/nothing')).status, 204)
      t.equal((await ask('/nowhere')).status, 404)
      t.equal((await ask('/send', { method: 'HEAD' })).headers.get('content-length'), '14')
    })

    t.test('files', async (t) => {
      const page = await ask('/files/index.html')
      t.match(page.headers.get('content-type'), 'text/html')
      t.equal(await page.text(), '<title>files</title>')
      t.equal(await (await ask('/file')).text(), '<title>files</title>')
      t.equal((await (await ask('/files/large.txt')).text()).length, 300_000)
      const range = await ask('/files/large.txt', { headers: { range: 'bytes=0-9' } })
      t.same([range.status, await range.text()], [206, 'xxxxxxxxxx'])
      t.equal((await ask('/files/none.txt')).status, 404)
    })

    t.test('JSON bodies', async (t) => {
      const post = async (body: string) => await ask('/body', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      t.same(await (await post('{"a":[1,2]}')).json(), { got: { a: [1, 2] } })
      t.equal((await post('{')).status, 400)
    })

    t.test('uploads', async (t) => {
      const form = new FormData()
      form.append('file', new Blob(['y'.repeat(200_000)]), 'upload.txt')
      const encoded = new Response(form)
      const response = await ask('/upload', {
        method: 'POST', headers: { 'content-type': encoded.headers.get('content-type') as string }, body: Buffer.from(await encoded.arrayBuffer())
      })
      t.same(await response.json(), { name: 'upload.txt', size: 200_000 })
    })

    t.test('a request to one route is an event on the other, and the stream has lived through it all', async (t) => {
      const response = await ask('/announce', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"turn":37}' })
      t.equal(response.status, 201)
      await until(() => heard.length === 2)
      t.same(heard, ['greeting hallo!', '{"turn":37}'])
      t.equal(app.connections.size, 1)
      t.same(noise(), [])
    })
  })
}
