/** One handler, and every client gets it in the format that it asked for; or is told what there is. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { type CustomFormat, event, type StreamOptions } from '../../index.ts'
import { type Server, start } from '../support/server.ts'
import { connect, type RawResponse } from '../support/socket.ts'
import { until } from '../support/until.ts'

const EVENT_STREAM = 'text/event-stream; charset=utf-8'
const NDJSON = 'application/x-ndjson'
const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'
const ALL = 'text/event-stream, application/x-ndjson, text/plain, application/json'
const STREAMS = 'text/event-stream, application/x-ndjson, text/plain'

const soon = async () => { await new Promise(setImmediate) }

async function * items () {
  yield 'grüße\nzwei'
  await soon()
  yield { a: [1] }
  yield event({ event: 'named', id: 7, retry: 10, data: true, comment: 'aside' })
  yield event({ event: 'bare' })
  yield event({ id: 'only', comment: 'aside' })
}

const AS: Record<string, [type: string, body: string]> = {
  'text/event-stream': [EVENT_STREAM, 'data: grüße\ndata: zwei\n\ndata: {"a":[1]}\n\n: aside\nevent: named\nid: 7\nretry: 10\ndata: true\n\nevent: bare\ndata: \n\n: aside\nid: only\n\n'],
  'application/x-ndjson': [NDJSON, '"grüße\\nzwei"\n{"a":[1]}\n{"event":"named","id":"7","data":true}\n{"event":"bare","data":""}\n'],
  'text/plain': [TEXT, 'grüße\nzwei{"a":[1]}\ntrue\n'],
  'application/json': [JSON_TYPE, '["grüße\\nzwei",{"a":[1]},{"event":"named","id":"7","data":true},{"event":"bare","data":""}]']
}

const own: CustomFormat = {
  type: 'Application/Own+Lines',
  encode: (event) => JSON.stringify(event) + ';'
}

async function ask ({ port }: Server, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<RawResponse> {
  const client = (await connect(t, port)).request(method, path, headers)
  return method === 'HEAD' ? await client.head() : await client.answer()
}

const accepting = (accept: string | undefined): Record<string, string> => accept === undefined ? {} : { Accept: accept }

/** An ordinary error, nothing half-sent. */
function refused (t: Test, { status, headers, body, rest }: RawResponse, types: string, title: string): void {
  t.equal(status, 406, title)
  t.equal(headers['content-type'], JSON_TYPE)
  for (const name of ['cache-control', 'x-accel-buffering']) t.notOk(name in headers, `no ${name} of a stream`)
  t.match(JSON.parse(body.toString()), { code: 'PST_ERR_NOT_ACCEPTABLE', message: `This stream is to be had as ${types}` })
  t.equal(rest.length, 0)
}

t.test('the same handler serves all four', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', items)
    app.stream('/array', () => ['one', 'two'])
  })
  for (const [accept, [type, body]] of Object.entries(AS)) {
    const response = await ask(server, '/', { Accept: accept })
    t.equal(response.status, 200, accept)
    t.equal(response.headers['content-type'], type)
    t.equal(response.headers['vary'], 'Accept')
    t.equal(response.headers['cache-control'], 'no-cache, no-transform')
    t.equal(response.body.toString(), body)
  }
  t.equal((await ask(server, '/array', { Accept: 'application/json' })).body.toString(), '["one","two"]')
  t.equal((await ask(server, '/array', { Accept: 'text/plain' })).body.toString(), 'onetwo')
  t.same(server.noise(), [])
})

t.test('the client chooses by Accept, the server where the client does not mind', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', () => ['x'])
    app.stream('/json-first', { formats: ['json', 'text', 'event-stream'] }, () => ['x'])
  })
  const cases: Array<[accept: string | undefined, type: string, jsonFirst: string]> = [
    [undefined, EVENT_STREAM, JSON_TYPE],
    ['', EVENT_STREAM, JSON_TYPE],
    ['*/*', EVENT_STREAM, JSON_TYPE],
    ['text/*', EVENT_STREAM, TEXT],
    ['text/html, application/json;q=0.9, */*;q=0.8', JSON_TYPE, JSON_TYPE],
    ['text/plain;q=0.5, text/event-stream;q=0.4', TEXT, TEXT],
    ['text/event-stream;q=0, text/*', TEXT, TEXT],
    ['TEXT/EVENT-STREAM', EVENT_STREAM, EVENT_STREAM]
  ]
  for (const [accept, type, jsonFirst] of cases) {
    t.equal((await ask(server, '/', accepting(accept))).headers['content-type'], type, `${accept}`)
    t.equal((await ask(server, '/json-first', accepting(accept))).headers['content-type'], jsonFirst, `${accept}, JSON first`)
  }
  const client = await connect(t, server.port)
  client.write('GET / HTTP/1.1\r\nAccept: text/html\r\nAccept: text/plain;q=0.1\r\nHost: localhost\r\nAccept: application/x-ndjson;q=0.2\r\n\r\n')
  t.equal((await client.answer()).headers['content-type'], NDJSON, 'several headers are one')
})

t.test('ndjson has several names, and is called by the one that the client accepts', async (t) => {
  const server = await start(t, (app) => { app.stream('/', () => ['x']) })
  for (const accept of ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonl', 'application/jsonlines']) {
    const { headers, body } = await ask(server, '/', { Accept: accept })
    t.equal(headers['content-type'], accept)
    t.equal(body.toString(), '"x"\n')
  }
  for (const [accept, type] of [['application/*', NDJSON], ['application/jsonl;q=0.5, application/ndjson', 'application/ndjson'], ['application/jsonl, */*;q=0.1', 'application/jsonl']] as const) {
    t.equal((await ask(server, '/', { Accept: accept })).headers['content-type'], type, accept)
  }
})

t.test('a client that accepts nothing that there is gets a 406 that names what there is', async (t) => {
  let asked = 0
  let told = 0
  const handlers: Record<string, (reply: FastifyReply) => unknown> = {
    'an async generator': async function * () {
      asked++
      yield 'x'
    },
    'an iterator': () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => { asked++ },
        return: () => { told++ }
      })
    }),
    'a Readable of bytes': () => new Readable({
      read () { asked++ },
      destroy (error, done) {
        told++
        done(error)
      }
    }),
    'an observable': () => ({ subscribe: () => { asked++ } }),
    nothing: () => {},
    'nothing, later': soon,
    'an event': (reply) => { reply.event('x') },
    'an event, later': async (reply) => {
      await soon()
      await reply.event('x')
    },
    'a chunk': (reply) => { reply.chunk('x') },
    'a comment': ({ connection }) => { connection.comment('x') },
    sendChunked: (reply) => { reply.sendChunked(201) },
    initChunk: (reply) => { reply.initChunk('x') },
    'a subscription': ({ connection }) => connection.subscribe('news')
  }
  const server = await start(t, (app) => {
    for (const [index, handler] of Object.values(handlers).entries()) app.stream(`/${index}`, (_request, reply) => handler(reply))
    app.stream('/topics', { topics: 'news' })
    app.stream('/two', { formats: ['ndjson', own] }, () => ['x'])
  })
  server.app.connections.on('open', () => { t.fail('no stream opened') })
  for (const [index, title] of Object.keys(handlers).entries()) {
    refused(t, await ask(server, `/${index}`, { Accept: 'text/html, image/*;q=0.8' }), ALL, title)
  }
  refused(t, await ask(server, '/topics', { Accept: 'text/html' }), STREAMS, 'a route with topics')
  refused(t, await ask(server, '/two', { Accept: 'text/event-stream' }), 'application/x-ndjson, application/own+lines', 'formats of its own')
  t.equal(asked, 0, 'no source was asked for anything')
  await until(() => told === 2, 'those that may have begun are told')
  t.equal(server.app.connections.size, 0)
  t.equal(server.app.topics.subscribers('news'), 0)
})

t.test('a handler that does not stream answers as ever, whatever its client accepts', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/json', () => ({ a: 1 }))
    app.stream('/text', async () => 'text')
    app.stream('/204', (_request, reply) => reply.code(204).send())
    app.stream('/403', async (_request, reply) => await reply.code(403).send({ no: true }))
    app.stream('/thrown', () => { throw Object.assign(new Error('early'), { statusCode: 425 }) })
    app.stream('/hijacked', (_request, reply) => {
      reply.hijack()
      reply.raw.end('by hand')
    })
    app.stream('/silent', (_request, reply) => { reply.send('sent') })
  })
  for (const accept of ['text/html', 'application/json', 'text/event-stream']) {
    t.equal((await ask(server, '/json', { Accept: accept })).body.toString(), '{"a":1}', accept)
    t.equal((await ask(server, '/text', { Accept: accept })).body.toString(), 'text')
    t.equal((await ask(server, '/204', { Accept: accept }, 'HEAD')).status, accept === 'text/html' ? 406 : 200)
    t.equal((await (await connect(t, server.port)).get('/204', { Accept: accept }).head()).status, 204)
    t.equal((await ask(server, '/403', { Accept: accept })).status, 403)
    t.equal((await ask(server, '/thrown', { Accept: accept })).status, 425)
    t.equal((await ask(server, '/silent', { Accept: accept })).body.toString(), 'sent')
    const hijacked = (await connect(t, server.port)).get('/hijacked', { Accept: accept })
    await hijacked.until('by hand')
  }
})

t.test('what never ends, or has no end yet, is nothing for a client that wants JSON', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/nothing', () => {})
    app.stream('/later', soon)
    app.stream('/event', (_request, reply) => { reply.event('x') })
    app.stream('/piped', (_request, { connection }) => connection.pipe(['x']))
    app.stream('/topics', { topics: 'news' })
  })
  for (const path of ['/nothing', '/later', '/event', '/piped', '/topics']) {
    refused(t, await ask(server, path, { Accept: 'application/json' }), STREAMS, path)
  }
  t.equal(server.app.connections.size, 0)
})

t.test('JSON is bounded by maxBuffered', async (t) => {
  let ended = 0
  const endless = async function * () {
    try {
      for (;;) yield 'x'.repeat(98)
    } finally {
      ended++
    }
  }
  const server = await start(t, (app) => {
    app.stream('/', endless)
    app.stream('/more', { maxBuffered: 2_000 }, endless)
    app.stream('/as-much', { maxBuffered: 505 }, () => Array(5).fill('x'.repeat(98)))
    app.stream('/wide', { maxBuffered: 505 }, () => Array(5).fill('ü'.repeat(98)))
  }, { pastelli: { maxBuffered: 1_000 } })
  for (const [path, limit] of [['/', 1_000], ['/more', 2_000], ['/wide', 505]]) {
    const { status, headers, body } = await ask(server, path as string, { Accept: 'application/json' })
    t.equal(status, 406, path as string)
    t.equal(headers['content-type'], JSON_TYPE)
    t.match(JSON.parse(body.toString()), { code: 'PST_ERR_TOO_LARGE', message: `This is more than the ${limit} bytes that are sent at once: ask for a stream` })
  }
  t.equal(ended, 2, 'the source is told')
  t.equal((await ask(server, '/as-much', { Accept: 'application/json' })).body.length, 5 * 100 + 4 + 2)
})

t.test('an empty source is an empty stream, and an empty array', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { method: ['GET', 'POST'] }, async function * () {}) })
  for (const [accept, type, body] of [['text/event-stream', EVENT_STREAM, ':\n\n'], [NDJSON, NDJSON, ''], ['text/plain', TEXT, ''], ['application/json', JSON_TYPE, '[]']]) {
    const response = await ask(server, '/', { Accept: accept as string })
    t.equal(response.status, 200)
    t.equal(response.headers['content-type'], type)
    t.equal(response.body.toString(), body)
  }
})

t.test('a client that leaves while its JSON is collected stops the source', async (t) => {
  let told = 0
  const { app, port, noise } = await start(t, (app) => {
    app.stream('/', async function * (_request, { connection: { signal } }) {
      try {
        yield 'first'
        await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason) }) })
      } finally {
        told++
      }
    })
  })
  const client = (await connect(t, port)).get('/', { Accept: 'application/json' })
  await until(() => [...app.connections].length === 0 && client.socket.bytesWritten !== 0)
  await soon()
  client.reset()
  await until(() => told === 1)
  t.same(noise(), [])
})

t.test('the status of the handler is that of its JSON', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      reply.code(203).header('x-own', 'yes')
      return ['x']
    })
  })
  const { status, headers } = await ask(server, '/', { Accept: 'application/json' })
  t.equal(status, 203)
  t.equal(headers['x-own'], 'yes')
})

t.test('one format alone is for everybody', async (t) => {
  const one = (format: NonNullable<StreamOptions['formats']>[number]) => ({ formats: [format] })
  const server = await start(t, (app) => {
    app.stream('/event-stream', one('event-stream'), () => ['x'])
    app.stream('/ndjson', one('ndjson'), () => ['x'])
    app.stream('/text', one('text'), () => ['x'])
    app.stream('/json', one('json'), () => ['x'])
    app.stream('/own', one(own), () => ['x'])
    app.stream('/live-json', one('json'), () => {})
  })
  const expected = { 'event-stream': [EVENT_STREAM, 'data: x\n\n'], ndjson: [NDJSON, '"x"\n'], text: [TEXT, 'x'], json: [JSON_TYPE, '["x"]'], own: [own.type, '{"data":"x"};'] }
  for (const accept of [undefined, 'text/html', 'application/json', 'text/event-stream;q=0']) {
    for (const [path, [type, body]] of Object.entries(expected)) {
      const response = await ask(server, `/${path}`, accepting(accept))
      t.equal(response.status, 200, `${path} for ${accept}`)
      t.equal(response.headers['content-type'], type)
      t.equal(response.body.toString(), body)
      t.notOk('vary' in response.headers, 'nobody has a say')
    }
    refused(t, await ask(server, '/live-json', accepting(accept)), 'application/json', 'a live one')
  }
})

t.test('the app\'s own formats are for all its routes, a route\'s for that route', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', () => ['x'])
    app.stream('/own', { formats: ['text', 'json'] }, () => ['x'])
  }, { pastelli: { formats: ['ndjson', 'text'] } })
  t.equal((await ask(server, '/')).headers['content-type'], NDJSON)
  refused(t, await ask(server, '/', { Accept: 'application/json' }), 'application/x-ndjson, text/plain', 'not among the app\'s')
  t.equal((await ask(server, '/own')).headers['content-type'], TEXT)
  t.equal((await ask(server, '/own', { Accept: 'application/json' })).headers['content-type'], JSON_TYPE)
})

t.test('HEAD agrees with GET', async (t) => {
  const hook = (app: FastifyInstance) => app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Origin') })
  const server = await start(t, (app) => {
    hook(app)
    app.stream('/', () => ['x'])
    app.stream('/two', { formats: [own, 'json'] }, () => ['x'])
    app.stream('/json', { formats: ['json'] }, () => ['x'])
    app.stream('/text', { formats: ['text'] }, () => ['x'])
  })
  const comparable = ({ status, headers: { date, 'content-length': _length, 'transfer-encoding': _framing, ...rest } }: RawResponse) => ({ status, ...rest })
  for (const path of ['/', '/two', '/json', '/text']) {
    for (const accept of [undefined, '*/*', 'application/json', 'application/own+lines', 'text/plain', 'text/event-stream;q=0.1, text/*', 'image/png']) {
      const [head, get] = [await ask(server, path, accepting(accept), 'HEAD'), await ask(server, path, accepting(accept))]
      t.same(comparable(head), comparable(get), `${path} for ${accept}`)
    }
  }
})

t.test('Vary names Accept beside what it has', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/:vary', ({ params }, reply) => {
      reply.header('vary', decodeURIComponent((params as { vary: string }).vary))
      return ['x']
    })
  })
  for (const [given, expected] of [['Origin', 'Origin, Accept'], ['accept', 'accept'], ['Origin, ACCEPT', 'Origin, ACCEPT'], ['*', '*'], ['Accept-Encoding', 'Accept-Encoding, Accept']]) {
    for (const accept of ['text/event-stream', 'application/json']) {
      t.equal((await ask(server, `/${encodeURIComponent(given as string)}`, { Accept: accept })).headers['vary'], expected)
    }
  }
})

t.test('a content type that the handler sets is what everybody gets', async (t) => {
  const handlers: Record<string, (reply: FastifyReply) => unknown> = {
    events: (reply) => {
      reply.event({ a: 1 })
      reply.closeChunk()
    },
    'a source': () => [{ a: 1 }],
    'a source, piped': ({ connection }) => connection.pipe([{ a: 1 }]),
    'an async generator': async function * () { yield { a: 1 } }
  }
  const server = await start(t, (app) => {
    for (const [index, handler] of Object.values(handlers).entries()) {
      app.stream(`/${index}`, (_request, reply) => handler(reply.type('application/x-ndjson; charset=utf-8')))
      app.stream(`/of-alias/${index}`, (_request, reply) => handler(reply.type('application/jsonl')))
    }
  })
  for (const [index, title] of Object.keys(handlers).entries()) {
    for (const accept of [undefined, 'text/event-stream', 'application/json', 'text/html']) {
      const { status, headers, body } = await ask(server, `/${index}`, accepting(accept))
      t.equal(status, 200, `${title} for ${accept}`)
      t.equal(headers['content-type'], 'application/x-ndjson; charset=utf-8')
      t.equal(body.toString(), '{"a":1}\n')
      t.notOk('vary' in headers)
    }
    const { headers, body } = await ask(server, `/of-alias/${index}`)
    t.equal(headers['content-type'], 'application/jsonl')
    t.equal(body.toString(), '{"a":1}\n')
  }
})

t.test('a JSON type that the handler sets is that of its JSON', async (t) => {
  const server = await start(t, (app) => {
    app.stream('/', async (_request, reply) => {
      reply.type('application/json')
      return ['x']
    })
  })
  const { headers, body } = await ask(server, '/', { Accept: 'application/json' })
  t.equal(headers['content-type'], JSON_TYPE, 'with what Fastify adds')
  t.equal(body.toString(), '["x"]')
})

t.test('ordinary routes do not ask what the client accepts', async (t) => {
  const server = await start(t, (app) => {
    app.get('/event', (_request, reply) => {
      reply.event('x')
      reply.closeChunk()
    })
    app.get('/ndjson', (_request, reply) => {
      reply.type('application/x-ndjson').event({ a: 1 })
      reply.closeChunk()
    })
    app.get('/piped', async (_request, reply) => { await reply.connection.pipe(['x']) })
    app.get('/text', (_request, reply) => {
      reply.type('text/plain').chunk('x')
      reply.closeChunk()
    })
    app.get('/json', () => ({ a: 1 }))
    app.get('/array', () => [1, 2])
  })
  for (const accept of [undefined, 'text/html', 'application/json', 'application/x-ndjson', 'text/event-stream;q=0']) {
    const expected: Array<[path: string, type: string, body: string]> = [
      ['/event', EVENT_STREAM, 'data: x\n\n'], ['/ndjson', NDJSON, '{"a":1}\n'], ['/piped', EVENT_STREAM, 'data: x\n\n'],
      ['/text', 'text/plain', 'x'], ['/json', JSON_TYPE, '{"a":1}'], ['/array', JSON_TYPE, '[1,2]']
    ]
    for (const [path, type, body] of expected) {
      const response = await ask(server, path, accepting(accept))
      t.equal(response.status, 200, `${path} for ${accept}`)
      t.equal(response.headers['content-type'], type)
      t.equal(response.body.toString(), body)
      t.notOk('vary' in response.headers)
    }
  }
})

t.test('an app\'s own format gets the parts of an event, and gives its text', async (t) => {
  const server = await start(t, (app) => { app.stream('/', { formats: ['event-stream', own] }, items) })
  const { status, headers, body } = await ask(server, '/', { Accept: 'application/*' })
  t.equal(status, 200)
  t.equal(headers['content-type'], own.type)
  t.equal(headers['vary'], 'Accept')
  t.equal(body.toString(), '{"data":"grüße\\nzwei"};{"data":{"a":[1]}};{"data":true,"event":"named","id":"7","retry":10};{"data":"","event":"bare"};')
})
