/** The sheet under NestJS: its streams over real sockets, its page in a browser, its server as a process. */
import { fileURLToPath } from 'node:url'
import { ForbiddenException } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import { concat, NEVER, type Observable, of, Subject, throwError } from 'rxjs'
import t, { type Test } from 'tap'
import { buildApp } from '../../examples/nest/app.ts'
import { type OpenStream, openStream, type StreamEvent } from '../../testing/index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startDemo } from '../support/demo.ts'
import { until } from '../support/until.ts'
import { Witness } from '../support/witness.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/nest/server.js', import.meta.url))

interface Sheet {
  /** Shuts down as Nest does. */
  close: () => Promise<void>
  fastify: FastifyInstance
  witness: Witness
  origin: string
  open: (url: string, options?: { body?: unknown, lastEventId?: string }) => Promise<OpenStream>
  draw: (hue: unknown) => Promise<Response>
}

async function start (t: Test, paper: Observable<number> = NEVER): Promise<Sheet> {
  const app = await buildApp(paper)
  t.teardown(() => app.close())
  await app.listen(0, '127.0.0.1')
  const fastify = app.getHttpAdapter().getInstance()
  const origin = await app.getUrl()
  return {
    close: () => app.close(),
    fastify,
    witness: new Witness(fastify),
    origin,
    open: (url, options) => openStream(fastify, { url, via: 'port', ...options }),
    draw: (hue) => fetch(`${origin}/strokes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ hue }) })
  }
}

async function next (stream: OpenStream): Promise<StreamEvent> {
  const event = await stream.next()
  return event.event === 'heartbeat' ? await next(stream) : event
}

async function nextOf (stream: OpenStream, count: number): Promise<string[]> {
  const data: string[] = []
  while (data.length < count) data.push((await next(stream)).data)
  return data
}

t.test('a controller answers a POST with events, and a body that its pipes refuse with plain HTTP', async (t) => {
  const { open, witness } = await start(t)
  const stream = await open('/blends', { body: { from: 0, to: 24 } })
  t.equal(stream.status, 200)
  t.match(stream.headers['content-security-policy'], "default-src 'self'", 'hooks of other plugins run')
  t.same(await nextOf(stream, 13), Array.from({ length: 13 }, (_, step) => JSON.stringify({ hue: step * 2 })))
  t.equal(await stream.ended, 'complete')
  await witness.sees(t, 'server')
  const refused = await open('/blends', { body: { from: 'red', to: 24 } })
  t.equal(refused.status, 400)
  t.equal(witness.opened.length, 1, 'which opens no stream')
})

t.test('a controller subscribes its clients to a topic: all get what is published, and who comes back what they missed', async (t) => {
  const { draw, fastify, open, witness } = await start(t)
  const first = await open('/strokes')
  t.equal(first.status, 200, 'also while there is nothing to send')
  t.equal((await draw(5)).status, 204)
  const { event, data, id } = await next(first)
  t.same({ event, data }, { event: 'stroke', data: '{"hue":5}' })
  first.close()
  await witness.sees(t, 'client')
  await draw('50')
  await draw(95)
  t.equal((await draw('red')).status, 400)
  const [back, newcomer] = await Promise.all([open('/strokes', { lastEventId: id as string }), open('/strokes')])
  t.same(await nextOf(back, 2), ['{"hue":50}', '{"hue":95}'])
  t.same(await nextOf(newcomer, 3), ['{"hue":5}', '{"hue":50}', '{"hue":95}'])
  t.equal(fastify.topics.subscribers('strokes'), 2)
  await draw(165)
  t.same([await nextOf(back, 1), await nextOf(newcomer, 1)], [['{"hue":165}'], ['{"hue":165}']])
})

t.test('an observable feeds a stream, and is unsubscribed when its client leaves', async (t) => {
  const paper = new Subject<number>()
  const { open, witness } = await start(t, paper)
  const opening = open('/paper')
  await until(() => paper.observed, 'the observable is subscribed')
  paper.next(305)
  const stream = await opening
  paper.next(308)
  t.same(await nextOf(stream, 2), ['305', '308'])
  t.ok(paper.observed)
  stream.close()
  await witness.sees(t, 'client')
  t.notOk(paper.observed)
})

t.test('an observable that completes ends its stream', async (t) => {
  const { open, witness } = await start(t, of(1, 2))
  const stream = await open('/paper')
  t.same(await nextOf(stream, 2), ['1', '2'])
  t.equal(await stream.ended, 'complete')
  await witness.sees(t, 'server')
})

t.test('an observable that fails: before its first item Nest\'s filters answer, later the client is told', async (t) => {
  const early = await start(t, throwError(() => new ForbiddenException('not yours')))
  const refused = await fetch(`${early.origin}/paper`)
  t.equal(refused.status, 403)
  t.match(await refused.json(), { message: 'not yours' })

  const paper = new Subject<number>()
  const { open, witness } = await start(t, concat(of(1), paper))
  const stream = await open('/paper')
  t.same(await nextOf(stream, 1), ['1'])
  paper.error(new Error('the secret of the house'))
  t.match(await stream.next(), { event: 'error', data: '{"message":"Internal Server Error"}' })
  t.equal(await stream.ended, 'complete')
  await witness.sees(t, 'error')
})

t.test('when Nest shuts down, every stream ends in order, with the reason, and nothing is subscribed any more', async (t) => {
  const paper = new Subject<number>()
  const { close, open, witness } = await start(t, concat(of(305), paper))
  const streams = await Promise.all([open('/paper'), open('/strokes'), open('/strokes')])
  await until(() => witness.opened.length === 3)
  t.ok(paper.observed)
  await close()
  t.same(await Promise.all(streams.map(({ ended }) => ended)), ['complete', 'complete', 'complete'])
  await witness.sees(t, 'shutdown')
  t.notOk(paper.observed)
})

t.test('the page shows what others draw, and the hue of the paper', { skip: withoutChromium() }, async (t) => {
  const { draw, origin } = await start(t, concat(of(50), NEVER))
  const browser = await launchChromium(t)
  const context = await browser.newContext()
  const [one, other] = await Promise.all([context.newPage(), context.newPage()])
  const complaints: string[] = []
  for (const page of [one, other]) {
    page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text()) })
    page.on('pageerror', (error) => { complaints.push(String(error)) })
    await page.goto(origin)
    await page.waitForSelector('[data-state=live][style="--hue: 50;"]')
  }
  await one.click('[aria-label=Mint]')
  await other.waitForSelector('.drawn')
  await draw(5)
  for (const page of [one, other]) await page.waitForSelector('.drawn[style="--hue: 165;"]:first-child + .drawn[style="--hue: 5;"]:last-child')
  t.same(complaints, [])
  await context.close()
})

t.test('the server says where it is in one line, serves its page from anywhere, and ends well', async (t) => {
  const { origin, ends } = await startDemo(t, SERVER)
  t.match(await (await fetch(origin)).text(), 'A sheet for everybody')
  await ends(await fetch(`${origin}/strokes`), 'SIGTERM')
})
