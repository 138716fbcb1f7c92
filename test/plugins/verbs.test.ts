/** The verbs on `reply`, byte by byte, as they leave the server. */
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { start } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { until } from '../support/until.ts'

const EVENT_STREAM = 'text/event-stream; charset=utf-8'

t.test('on a stream route', async (t) => {
  const answerTo = async (verbs: (reply: FastifyReply) => void, options = {}) => {
    const { port } = await start(t, (app) => {
      app.stream('/', (_request, reply) => {
        verbs(reply)
        reply.closeChunk()
      })
    }, options)
    return await (await connect(t, port)).get('/').answer()
  }
  const bodyOf = async (verbs: (reply: FastifyReply) => void, options = {}) => (await answerTo(verbs, options)).body.toString()

  t.test('the head is that of an event stream, chunked and not to be buffered', async (t) => {
    const { head, headers, status } = await answerTo(() => {})
    t.equal(status, 200)
    t.match(headers, { 'content-type': EVENT_STREAM, 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no', 'transfer-encoding': 'chunked' })
    t.notOk('content-length' in headers)
    t.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  })

  t.test('event, with its fields in the order event, id, retry, data', async (t) => {
    t.equal(await bodyOf((reply) => { reply.event({ text: 'hallo!' }, { retry: 6000, id: 1234, event: 'handshake' }) }),
      'event: handshake\nid: 1234\nretry: 6000\ndata: {"text":"hallo!"}\n\n')
  })

  t.test('event, text verbatim and one data line for each line, all else as JSON', async (t) => {
    t.equal(await bodyOf((reply) => {
      reply.event('plain "text"')
      reply.event('a\nb\r\nc\rd\n')
      reply.event('')
      reply.event(null)
      reply.event(['ü', 1, true])
    }), 'data: plain "text"\n\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\ndata: \n\ndata: null\n\ndata: ["ü",1,true]\n\n')
  })

  t.test('event, with an empty id, the id 0 and a retry of 0', async (t) => {
    t.equal(await bodyOf((reply) => {
      reply.event('a', { id: '' })
      reply.event('b', { id: 0, retry: 0 })
    }), 'id: \ndata: a\n\nid: 0\nretry: 0\ndata: b\n\n')
  })

  t.test('initChunk goes first, and a second one replaces the first', async (t) => {
    t.equal(await bodyOf((reply) => {
      reply.event('second')
      reply.initChunk('never')
      reply.initChunk({ text: 'hallo!' }, { event: 'handshake', id: 1234, retry: 6000 })
    }), 'event: handshake\nid: 1234\nretry: 6000\ndata: {"text":"hallo!"}\n\ndata: second\n\n')
  })

  t.test('what was set by `retry` follows the initial chunk', async (t) => {
    t.equal(await bodyOf((reply) => { reply.initChunk('a').event('b') }, { pastelli: { retry: 3000 } }), 'data: a\n\nretry: 3000\n\ndata: b\n\n')
  })

  t.test('chunk, as text, Buffer and Uint8Array, in order with events; an empty one is nothing', async (t) => {
    t.equal(await bodyOf((reply) => {
      reply.chunk(': grüße\n\n')
      reply.chunk('')
      reply.chunk(Buffer.from('data: buffer\n\n'))
      reply.chunk(Buffer.alloc(0))
      reply.event('between')
      reply.chunk(new Uint8Array(new TextEncoder().encode('xdata: view\n\n').buffer, 1))
    }), ': grüße\n\ndata: buffer\n\ndata: between\n\ndata: view\n\n')
  })

  t.test('a stream opens with a comment when there is nothing to say yet', async (t) => {
    const { port } = await start(t, (app) => { app.stream('/', () => {}) })
    const client = (await connect(t, port)).get('/')
    await client.until(({ body }) => body.toString() === ':\n\n')
    t.notOk(client.response.complete, 'and stays open')
  })

  t.test('closeChunk writes the terminator once, however often it is called', async (t) => {
    const { port } = await start(t, (app) => {
      app.stream('/', (_request, reply) => {
        reply.event('a')
        reply.closeChunk()
        reply.closeChunk()
        setImmediate(() => { reply.closeChunk() })
      })
      app.get('/after', async () => 'after')
    })
    const client = (await connect(t, port)).get('/')
    const { complete, rest } = await client.answer()
    t.ok(complete)
    t.equal(rest.length, 0)
    t.equal(client.text.slice(client.text.indexOf('\r\n\r\n') + 4), '9\r\ndata: a\n\n\r\n0\r\n\r\n')
    await client.get('/after').until('after')
    t.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 2, 'and the socket serves on')
  })
})

t.test('in an ordinary route', async (t) => {
  t.test('sendChunked alone sets no content type and sends no bytes of its own', async (t) => {
    const { port } = await start(t, (app) => { app.get('/', (_request, reply) => { reply.sendChunked() }) })
    const client = (await connect(t, port)).get('/')
    const { status, headers } = await client.head()
    t.equal(status, 200)
    t.equal(headers['transfer-encoding'], 'chunked')
    for (const name of ['content-type', 'cache-control', 'x-accel-buffering']) t.notOk(name in headers, name)
    t.ok(client.text.endsWith('\r\n\r\n'), 'only the head')
  })

  t.test('sendChunked and chunk under a type of one\'s own', async (t) => {
    const { port } = await start(t, (app) => {
      app.get('/', (_request, reply) => {
        reply.type('text/plain').sendChunked().chunk('one ')
        reply.chunk('two')
        reply.closeChunk()
      })
    }, { pastelli: { retry: 3000 } })
    const { headers, body } = await (await connect(t, port)).get('/').answer()
    t.equal(headers['content-type'], 'text/plain')
    t.equal(body.toString(), 'one two', 'without a comment or a retry')
  })

  t.test('chunk without sendChunked starts the stream too, and only event or initChunk make it an event stream', async (t) => {
    const { port } = await start(t, (app) => {
      app.get('/chunk', (_request, reply) => { reply.chunk('a') })
      app.get('/event', (_request, reply) => { reply.event('a') })
      app.get('/init', (_request, reply) => { reply.sendChunked().initChunk('a') })
      app.get('/late', (_request, reply) => {
        reply.chunk(': first\n\n')
        reply.event('a')
      })
    })
    const headersOf = async (path: string, body: string) => {
      const client = (await connect(t, port)).get(path)
      await client.until((response) => response.body.toString() === body)
      return client.response.headers
    }
    t.notOk('content-type' in await headersOf('/chunk', 'a'))
    t.match(await headersOf('/event', 'data: a\n\n'), { 'content-type': EVENT_STREAM, 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' })
    t.match(await headersOf('/init', 'data: a\n\n'), { 'content-type': EVENT_STREAM })
    t.match(await headersOf('/late', ': first\n\ndata: a\n\n'), { 'content-type': EVENT_STREAM }, 'the type is open until the end of the tick')
  })

  t.test('on POST with a JSON body: the stream outlives the request', async (t) => {
    let isRequestClosed = false
    const { app, port } = await start(t, (app) => {
      app.post('/', async (request, reply) => {
        request.raw.once('close', () => { isRequestClosed = true })
        reply.event(request.body)
      })
    })
    const client = (await connect(t, port)).request('POST', '/', { 'Content-Type': 'application/json' }, '{"a":1}')
    await client.until('data: {"a":1}')
    const [connection] = app.connections
    await until(() => isRequestClosed, 'Node calls the request closed, because its body was read')
    t.equal(connection?.event('later'), true)
    await client.until('data: later')
    t.equal(connection?.phase, 'open')
    client.leave()
    t.equal(await connection?.closed, 'client')
  })

  t.test('on every method that has a body or none', async (t) => {
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
    const { port } = await start(t, (app) => {
      app.route({
        method: methods,
        url: '/',
        handler (request, reply) {
          reply.event(request.method)
          reply.closeChunk()
        }
      })
    })
    for (const method of methods) {
      t.equal((await (await connect(t, port)).request(method, '/').answer()).body.toString(), `data: ${method}\n\n`)
    }
  })
})

t.test('a verb answers true while there is room and false once the connection has ended', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => {
      t.equal(reply.event('a'), true)
      t.equal(reply.chunk(': b\n\n'), true)
      t.equal(reply.chunk(''), true)
      reply.closeChunk()
      t.equal(reply.event('c'), false)
      t.equal(reply.chunk('d'), false)
      t.equal(reply.chunk(''), false)
    })
  })
  const { body } = await (await connect(t, port)).get('/').answer()
  t.equal(body.toString(), 'data: a\n\n: b\n\n')
  t.equal(app.connections.counts.server, 1)
})

t.test('anyone who has the id can send, long after the handler has returned', async (t) => {
  const { app, port } = await start(t, (app) => {
    app.stream('/', (_request, reply) => { reply.event(reply.connection.id, { event: 'handshake' }) })
    app.post<{ Params: { id: string } }>('/:id', async (request, reply) => {
      const connection = app.connections.get(request.params.id)
      if (connection === undefined) return await reply.code(404).send()
      await connection.event(request.body)
      return await reply.code(201).send()
    })
  })
  const client = (await connect(t, port)).get('/')
  await client.until('event: handshake\ndata: ')
  const id = /data: (\S+)/.exec(client.text)?.[1] ?? ''
  const post = async (id: string) => (await app.inject({ method: 'POST', url: `/${id}`, payload: { which: 37 } })).statusCode
  t.equal(await post(id), 201)
  await client.until('data: {"which":37}\n\n')
  client.leave()
  await app.connections.get(id)?.closed
  t.equal(await post(id), 404)
})
