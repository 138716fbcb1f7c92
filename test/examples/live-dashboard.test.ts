/** The dashboard: its stream with plain sockets, its page in a browser, its server as a process. */
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { buildApp } from '../../examples/live-dashboard/app.ts'
import type { FeedOptions, Place } from '../../examples/live-dashboard/feed.ts'
import { type ConnectionsFigures, type ProcessFigures, processMeter } from '../../examples/live-dashboard/figures.ts'
import { type OpenStream, openStream } from '../../testing/index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startDemo } from '../support/demo.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/live-dashboard/server.js', import.meta.url))
const SERIES = new URL('../../../examples/live-dashboard/public/series.js', import.meta.url)
const TOPICS = ['process', 'connections']

type Point = Place & ProcessFigures & ConnectionsFigures
interface Event { topic: string, point: Point, id: string }

/** Measures when the test says so. */
class Crank {
  #measure: (() => void) | null = null

  get isMeasuring (): boolean {
    return this.#measure !== null
  }

  readonly every = (_ms: number, measure: () => void) => {
    this.#measure = measure
    return () => { this.#measure = null }
  }

  turn (times = 1): void {
    for (let i = 0; i < times; i++) this.#measure?.()
  }
}

async function listen (app: FastifyInstance, port = 0): Promise<{ port: number, origin: string }> {
  await app.listen({ host: '127.0.0.1', port })
  const { port: given } = app.server.address() as AddressInfo
  return { port: given, origin: `http://127.0.0.1:${given}` }
}

async function build (t: Test, options: FeedOptions = {}): Promise<{ app: FastifyInstance, crank: Crank }> {
  const crank = new Crank()
  const app = await buildApp({ every: crank.every, ...options })
  t.teardown(() => app.close())
  return { app, crank }
}

/** The dashboard on a port of 127.0.0.1. */
async function start (t: Test, options: FeedOptions = {}): Promise<{ app: FastifyInstance, crank: Crank, port: number, origin: string }> {
  const built = await build(t, options)
  return { ...built, ...await listen(built.app) }
}

async function watch (app: FastifyInstance, lastEventId?: string): Promise<OpenStream> {
  return await openStream(app, { url: '/figures', via: 'port', ...lastEventId !== undefined && { lastEventId } })
}

async function take (stream: OpenStream, count: number): Promise<Event[]> {
  const events: Event[] = []
  while (events.length < count) {
    const { event, data, id } = await stream.next()
    if (event !== 'heartbeat') events.push({ topic: event, point: JSON.parse(data), id: String(id) })
  }
  return events
}

// In the middle of each chart's gap, how many pixels have paint on them that is not the grid's: one third and two thirds up.
const PAINTED = `[...document.querySelectorAll('.plot')].map((plot) => {
  const canvas = plot.querySelector('canvas')
  const { left, top, width } = canvas.getBoundingClientRect()
  const band = plot.querySelector('.band[data-kind=gap]').getBoundingClientRect()
  const scale = canvas.width / width
  const [x, y, height] = [band.left + band.width / 2 - left, band.top - top, band.height].map((length) => Math.round(length * scale))
  return [[0.05, 0.4], [0.55, 0.4]].reduce((sum, [start, share]) => {
    const { data } = canvas.getContext('2d').getImageData(x, y + Math.round(start * height), 1, Math.round(share * height))
    return sum + data.filter((value, i) => i % 4 === 3 && value > 0).length
  }, 0)
})`

function upTo (last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

t.test('both topics come on one connection, in points that are numbered and join on to each other', async (t) => {
  const { app, crank } = await start(t)
  const stream = await watch(app)
  crank.turn(3)
  const events = await take(stream, 6)
  t.same(events.map(({ topic }) => topic), [...TOPICS, ...TOPICS, ...TOPICS])
  for (const topic of TOPICS) {
    const points = events.filter((event) => event.topic === topic).map(({ point }) => point)
    t.same(points.map(({ n }) => n), [1, 2, 3])
    t.same(points.slice(1).map(({ from }) => from), points.slice(0, -1).map(({ at }) => at))
    t.equal(new Set(points.map(({ run }) => run)).size, 1)
    t.ok(points.every(({ from, at }) => from < at))
  }
  stream.close()
})

t.test('a newcomer gets what is retained, and who comes back what they missed', async (t) => {
  const { app, crank } = await start(t)
  const first = await watch(app)
  crank.turn(3)
  const events = await take(first, 6)

  const newcomer = await watch(app)
  t.same(await take(newcomer, 6), events)
  newcomer.close()

  first.close()
  await until(() => app.connections.size === 0, 'nobody watches')
  crank.turn(2)
  const again = await watch(app, events[2]?.id)
  const missed = await take(again, 7)
  t.same(missed.map(({ topic, point: { n } }) => `${topic} ${n}`),
    ['connections 2', 'process 3', 'connections 3', 'process 4', 'connections 4', 'process 5', 'connections 5'])
  again.close()
})

t.test('it measures while somebody watches, and a little longer', async (t) => {
  const { app, crank } = await start(t, { linger: 1 })
  t.notOk(crank.isMeasuring)
  const one = await watch(app)
  const other = await watch(app)
  t.ok(crank.isMeasuring)
  one.close()
  await until(() => app.connections.size === 1, 'one has left')
  crank.turn(1)
  const [before] = await take(other, 1)
  other.close()
  await until(() => !crank.isMeasuring, 'the last one has left')

  const back = await watch(app, before?.id)
  t.ok(crank.isMeasuring)
  crank.turn(1)
  const [, after] = await take(back, 2)
  t.equal(after?.point.n, 2, 'it goes on counting')
  t.ok(Number(after?.point.from) > Number(before?.point.at), 'and says what it has not measured')
  back.close()
})

t.test('who comes back within that time stops nothing', async (t) => {
  const { app, crank } = await start(t, { linger: 60_000 })
  const one = await watch(app)
  one.close()
  await until(() => app.connections.size === 0, 'nobody watches')
  t.ok(crank.isMeasuring)
  const back = await watch(app)
  t.ok(crank.isMeasuring)
  back.close()
  await app.close()
  t.notOk(crank.isMeasuring, 'nothing is left running when the app has closed')
})

t.test('connections are counted, and the events that they were sent', async (t) => {
  const { app, crank } = await start(t)
  const one = await watch(app)
  const other = await watch(app)
  crank.turn()
  await take(one, 2)
  await take(other, 2)
  crank.turn()
  const [, second] = await take(one, 2)
  const { open, events, from, at } = second?.point as Point
  t.equal(open, 2)
  t.equal(Math.round(events * (at - from) / 1_000), 4, 'two to each')

  await take(other, 2)
  other.close()
  await until(() => app.connections.size === 1, 'one has left')
  crank.turn()
  const [, third] = await take(one, 2)
  t.equal(third?.point.open, 1)
  t.equal(Math.round(Number(third?.point.events) * (Number(third?.point.at) - at) / 1_000), 4, 'those of one that has left count, too')
  one.close()
})

t.test('CPU and memory are this process\'s', (t) => {
  const meter = processMeter()
  meter.start()
  const before = process.cpuUsage()
  const used = () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  }
  while (used() < 50);
  const atLeast = used()
  const { cpu, rss, heap } = meter.read(100)
  // The meter has begun a little earlier.
  t.ok(cpu >= atLeast && cpu < used() + 20, `${atLeast} ms of 100 are ${cpu} %`)
  t.ok(heap > 2 ** 20 && rss > heap, 'in bytes')
  t.ok(meter.read(1_000).cpu < 50, 'since the reading before')
  meter.stop()
  t.end()
})

t.test('a block of the event loop is seen wherever it falls', async (t) => {
  const meter = processMeter()
  const looks = monitorEventLoopDelay({ resolution: 10 })
  t.teardown(() => {
    meter.stop()
    looks.disable()
  })
  const looked = async () => {
    looks.reset()
    await until(() => looks.count >= 3, 'the event loop was looked at')
  }
  const block = () => {
    const end = performance.now() + 150
    while (performance.now() < end);
  }
  meter.start()
  looks.enable()
  await looked()
  meter.read(1)
  await looked()
  meter.read(1)
  block()
  await looked()
  t.ok(meter.read(1).worst > 100, 'right behind a reading')
  await looked()
  block()
  await looked()
  t.ok(meter.read(1).worst > 100, 'and between two')
  await looked()
  meter.read(1)
  await looked()
  const { delay, worst } = meter.read(1)
  t.ok(delay < 50 && delay <= worst, 'and then it is over')
})

t.test('the page gets its library and nothing from elsewhere', async (t) => {
  const { app, origin } = await start(t)
  const page = await fetch(origin)
  t.match(page.headers.get('content-type'), 'text/html')
  t.match(page.headers.get('content-security-policy'), "default-src 'self'")
  const paths = [...(await page.text()).matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => String(path))
  t.ok(paths.length > 5)
  for (const path of paths) t.equal((await fetch(origin + path)).status, 200, path)

  const stream = await watch(app)
  t.equal((await fetch(`${origin}/cut`, { method: 'POST' })).status, 204)
  t.equal(await stream.ended, 'cut')
})

t.test('a series tells what is missing from what was not measured, and who said so', async (t) => {
  const { Series } = await import(SERIES.href)
  const point = (n: number, from = n - 1, run = 0) => ({ n, run, from, at: from + 1 })
  const fed = (...steps: Array<Place | 'trimmed' | 'foreign'>) => {
    const series = new Series()
    for (const step of steps) typeof step === 'string' ? series.announce({ reason: step }) : series.add(step)
    return series
  }
  const whole = fed(point(3), point(4), point(5))
  t.match(whole, { blanks: [], first: 3, last: { n: 5 }, count: 3, twice: 0 })
  t.match(fed(point(1), point(2, 7)), { blanks: [{ kind: 'idle', from: 1, to: 7, missing: 0 }], first: 1, counts: { lost: 0, gap: 0 } })
  t.match(fed(point(1), 'trimmed', point(5)), { blanks: [{ kind: 'gap', reason: 'trimmed', from: 1, to: 4, missing: 3 }], first: 5, counts: { lost: 0, gap: 1 } })
  t.match(fed(point(1), 'foreign', point(3, 9, 8)), { blanks: [{ kind: 'gap', reason: 'foreign', missing: null, next: 3 }], first: 3, count: 2 })
  t.match(fed(point(1), 'trimmed', point(2)), { blanks: [], counts: { gap: 0 } }, 'it was another topic\'s')
  t.match(fed(point(1), point(3)), { blanks: [{ kind: 'lost', missing: 1 }], counts: { lost: 1 } }, 'nobody said so')
  t.match(fed(point(1), point(1, 9, 8)), { counts: { lost: 1 } }, 'nor that it counts anew')
  t.match(fed(point(1), point(2), point(2), point(1)), { twice: 2, count: 2, blanks: [] })
  t.same(fed('foreign', point(4)).blanks, [], 'to a newcomer nothing is missing')

  const away = fed(point(1))
  t.equal(away.trailing(5, false), null)
  t.match(away.trailing(5, true), { kind: 'away', from: 1, to: 5 })
  away.announce({ reason: 'foreign' })
  t.match(away.trailing(5, false), { kind: 'gap', from: 1, to: 5 })
})

t.test('in Chromium', { skip: withoutChromium(), timeout: 100_000 }, async (t) => {
  const browser = await launchChromium(t)

  /** The page in a browser of its own, and what its console complains of. */
  const visit = async (t: Test, origin: string, options: BrowserContextOptions = {}) => {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
    t.teardown(() => context.close())
    context.setDefaultTimeout(30_000)
    const complaints: string[] = []
    context.on('weberror', (error) => { complaints.push(String(error.error())) })
    context.on('console', (message) => {
      // That a connection was cut or refused is what these tests are about.
      const isMeant = /^Failed to load resource: (net::ERR_|.* status of 502)/.test(message.text())
      if (message.type() === 'error' && !isMeant) complaints.push(`${message.text()} ${message.location().url}`)
    })
    const page = await context.newPage()
    await page.goto(origin)
    await page.waitForSelector('[data-state=live]')
    return { page, complaints }
  }
  const ask = async (page: Page, question: string) => await page.evaluate(`import('/dashboard.js').then(({ series, charts }) => (${question}))`)
  // Asked from here, again and again: Playwright's own way would evaluate text inside the page, which its policy forbids.
  const becomes = async (page: Page, question: string) => {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(20)) if (await ask(page, question)) return
    throw new Error(`it never came true that ${question}`)
  }
  const numbers = async (page: Page) => await ask(page, 'Object.values(series).map(({ points }) => points.map(({ n }) => n))')
  const has = async (page: Page, last: number) => { await becomes(page, `Object.values(series).every((one) => one.last?.n === ${last})`) }
  const reads = async (page: Page, place: string, text: RegExp) => {
    await becomes(page, `${text}.test(document.querySelector('${place}').textContent)`)
  }

  await t.test('figures move', async (t) => {
    const app = await buildApp({ interval: 20 })
    t.teardown(() => app.close())
    const { origin } = await listen(app)
    const { page, complaints } = await visit(t, origin)
    await becomes(page, "[...document.querySelectorAll('.value')].every(({ textContent }) => /^\\d/.test(textContent))")
    t.equal(await page.locator('.plot canvas').count(), 5)
    const drawn = async () => await page.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())") as string[]
    const [cpu, before] = [await page.locator('#cpu .value').innerText(), await drawn()]
    await becomes(page, `document.querySelector('#cpu .value').textContent !== '${cpu}'`)
    await becomes(page, "Number(document.querySelector('.count').textContent) > 100")
    const after = await drawn()
    t.ok(after.every((image, i) => image !== before[i]), 'every chart has moved')
    t.same(complaints, [])
  })

  await t.test('a connection that is cut again and again leaves no hole, and nothing comes twice', async (t) => {
    const { app, crank, origin } = await start(t)
    const { page, complaints } = await visit(t, origin)
    crank.turn(3)
    await has(page, 3)
    t.same(await numbers(page), [upTo(3), upTo(3)])

    let last = 3
    const cuts = [
      () => { for (const connection of app.connections) connection.destroy() },
      () => { app.server.closeAllConnections() },
      () => { for (const connection of app.connections) connection.close() }
    ]
    for (const cut of cuts) {
      crank.turn()   // written in this tick, or never
      cut()
      await until(() => app.connections.size === 0, 'the page has no connection')
      await page.waitForSelector('[data-state=reconnecting]')
      crank.turn(4)
      await page.waitForSelector('[data-state=live]')
      crank.turn(2)
      last += 7
      await has(page, last)
    }
    t.same(await numbers(page), [upTo(last), upTo(last)])
    t.same(await ask(page, 'Object.values(series).map(({ blanks, twice, counts }) => ({ blanks, twice, lost: counts.lost }))'),
      [{ blanks: [], twice: 0, lost: 0 }, { blanks: [], twice: 0, lost: 0 }])
    const drawn = await ask(page, 'charts.map(({ data }) => data.map((column) => column.filter((value) => value !== null).length))')
    t.same(drawn, [[last, last], [last, last, last], [last, last, last], [last, last], [last, last]], 'and all of it is drawn')
    await reads(page, '.proof', /^None missing, none twice\.$/)
    await reads(page, '.numbers', new RegExp(`^process 1 to ${last}, connections 1 to ${last}$`))
    await reads(page, '.late', /^Cut 3 times\. \d+ points came late, each in its place\.$/)
    t.equal(await page.locator('.band').count(), 0)
    t.same(complaints, [])
  })

  await t.test('nor does a proxy that answers 502, which ends the browser\'s own attempts', async (t) => {
    const { app, crank, origin } = await start(t)
    const { page, complaints } = await visit(t, origin)
    crank.turn(3)
    await has(page, 3)
    let refused = 0
    await page.route('**/figures*', async (route) => {
      refused++
      await route.fulfill({ status: 502 })
    }, { times: 1 })
    for (const last of [7, 11]) {
      for (const connection of app.connections) connection.destroy()
      await page.waitForSelector('[data-state=reconnecting]')
      crank.turn(4)
      await page.waitForSelector('[data-state=live]')
      await has(page, last)
    }
    t.equal(refused, 1)
    t.same(await numbers(page), [upTo(11), upTo(11)])
    await reads(page, '.proof', /^None missing, none twice\.$/)
    t.same(complaints, [])
  })

  await t.test('after a restart the page says what is missing, draws nothing there, and goes on', async (t) => {
    const first = await start(t)
    const { page, complaints } = await visit(t, first.origin)
    first.crank.turn(5)
    await has(page, 5)
    await first.app.close()
    await page.waitForSelector('[data-state=reconnecting]')
    t.match(await page.locator('.state').innerText(), 'Reconnecting')
    await becomes(page, "document.querySelectorAll('.band[data-kind=away]').length === 5")

    // Another one watches already, so that there are points that the page can't have.
    const { app, crank } = await build(t)
    const other = await openStream(app, { url: '/figures' })
    crank.turn(3)
    await listen(app, first.port)
    await page.waitForSelector('[data-state=live]')
    await until(() => app.connections.size === 2, 'the page is back')
    crank.turn(4)
    await has(page, 7)
    t.same(await numbers(page), [[...upTo(5), ...upTo(7, 4)], [...upTo(5), ...upTo(7, 4)]])

    const blanks = await ask(page, 'Object.values(series).map(({ blanks }) => blanks)')
    t.match(blanks, [[{ kind: 'gap', reason: 'foreign', missing: null, next: 4 }], [{ kind: 'gap', reason: 'foreign' }]])
    t.same(await ask(page, 'charts.map(({ data }) => data.slice(1).map((values) => values.indexOf(null)))'), [[5], [5, 5], [5, 5], [5], [5]], 'the lines end there')
    await becomes(page, "document.querySelectorAll('.band[data-kind=gap]').length === 5")
    t.equal(await page.locator('.band').count(), 5)
    t.same(await page.evaluate(PAINTED), [0, 0, 0, 0, 0], 'there is not a pixel')
    await reads(page, '.proof', /^Some are missing, as the page was told\. None twice\.$/)
    await reads(page, '.numbers', /^Since then process 4 to 7, connections 4 to 7$/)
    await reads(page, '.blanks', /s missing, and 3 points of its new count; the server was restarted/)
    t.equal(await page.locator('.blanks li').count(), 1)

    crank.turn(2)
    await has(page, 9)
    t.equal(await page.locator('.blanks li').count(), 1)
    t.same(complaints, [])
    other.close()
  })

  await t.test('by keyboard one looks back, and cuts the connection', async (t) => {
    const { crank, origin } = await start(t)
    const { page, complaints } = await visit(t, origin)
    crank.turn(9)
    await has(page, 9)
    const chart = page.getByRole('slider', { name: 'Memory' })
    await chart.focus()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await page.waitForSelector('#memory .when:not(:empty)')
    t.match(await chart.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d: \d+ MiB resident, \d+ MiB JavaScript heap$/)
    t.equal(await page.locator('.when:not(:empty)').count(), 5, 'in all charts at once')
    await page.keyboard.press('Home')
    await page.keyboard.press('Escape')
    await page.waitForSelector('#memory .when:empty', { state: 'attached' })

    const button = page.getByRole('button', { name: 'Cut every connection' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.waitForSelector('[data-state=reconnecting]')
    crank.turn(2)
    await page.waitForSelector('[data-state=live]')
    await has(page, 11)
    await reads(page, '.late', /^Cut 1 time\. 4 points came late/)
    t.same(complaints, [])
  })

  await t.test('it fits a phone, by day and by night', async (t) => {
    const { crank, origin } = await start(t)
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, complaints } = await visit(t, origin, { colorScheme, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true })
      crank.turn(3)
      await becomes(page, "Number(document.querySelector('.count').textContent) >= 6")
      t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out')
      const widths = await page.locator('.plot canvas').evaluateAll((canvases) => canvases.map((canvas) => canvas.getBoundingClientRect().width)) as number[]
      t.ok(widths.every((width) => width > 260 && width < 360), String(widths))
      t.ok(await page.locator('.state').isVisible())
      t.same(complaints, [])
      await page.context().close()
    }
  })
})

t.test('the server says where it is in one line, serves its page from anywhere, and ends well', async (t) => {
  const { origin, ends } = await startDemo(t, SERVER)
  const page = await fetch(origin)
  t.match(await page.text(), 'A process, live')
  const stream = await fetch(`${origin}/figures`)
  await ends(stream, 'SIGTERM')
})
