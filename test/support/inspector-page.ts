/** The inspector's page in a browser, and what is looked for in it. */
import axe from 'axe-core'
import type { FastifyInstance } from 'fastify'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { InspectorOptions } from '../../routes/inspector/index.ts'
import { type Inspected, startInspected } from './inspected.ts'
import { subscribe } from './subscriber.ts'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

export const OFTEN: InspectorOptions = { insecure: true, interval: 150 }

export interface Visit {
  page: Page
  /** Errors, and what the browser's console says of them. */
  complaints: string[]
}

/** Streams to look at: each subscribed to a topic of its market, with a name of its own. */
export function streams (app: FastifyInstance): void {
  app.stream('/prices/:market', { topics: ({ params }) => `prices:${(params as { market: string }).market}` }, (request, { connection }) => {
    connection.name = (request.query as { name?: string }).name ?? null
  })
}

export async function open (t: Test, browser: Browser, setup: (app: FastifyInstance) => unknown = streams, options: InspectorOptions = OFTEN): Promise<Inspected & Visit> {
  const inspected = await startInspected(t, setup, options)
  return { ...inspected, ...await visit(t, browser, `${inspected.origin}/inspector/`) }
}

export async function visit (t: Test, browser: Browser, url: string, context: BrowserContextOptions = {}): Promise<Visit> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, ...context })
  t.teardown(() => page.close())
  const complaints: string[] = []
  page.on('pageerror', ({ message }) => { complaints.push(message) })
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
  await page.goto(url)
  await page.getByText('Live', { exact: true }).waitFor()
  return { page, complaints }
}

/** So many more streams, with the names `name-0`, `name-1` and so on, on three markets by turns. */
export async function visitors (t: Test, { origin, app }: Inspected, count: number): Promise<void> {
  const before = [...app.connections].filter(({ route }) => route.startsWith('/prices')).length
  for (let n = 0; n < count; n += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - n) }, (_, i) => subscribe(t, origin, `/prices/market-${(before + n + i) % 3}?name=name-${before + n + i}`)))
  }
}

/** What axe finds wrong with the page as it is. */
export async function violations (page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`) as { violations: Array<{ id: string, nodes: Array<{ html: string, failureSummary: string }> }> }
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join('; ')}`)
}

export function cell (page: Page, text: string): Locator {
  return page.getByRole('gridcell', { name: text, exact: true })
}
