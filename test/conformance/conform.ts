/** Takes one client through all cases, in the order of the standard. */
import tap, { type Test } from 'tap'
import { type BrowserName, withoutBrowser } from '../support/pages.ts'
import { type Server, start } from '../support/server.ts'
import type { Case, Scene } from './case.ts'
import { type Client, type ClientName, openClient, PAGE } from './client.ts'
import { authoring } from './cases/authoring.ts'
import { eventSource } from './cases/event-source.ts'
import { interpreting } from './cases/interpreting.ts'
import { lastEventId } from './cases/last-event-id.ts'
import { origins } from './cases/origins.ts'
import { parsing } from './cases/parsing.ts'
import { pastelli } from './cases/pastelli.ts'
import { processing } from './cases/processing.ts'

const sections = [eventSource, processing, origins, lastEventId, parsing, interpreting, authoring, pastelli]

// For all cases together: a browser on a busy machine takes its time.
const TIMEOUT = 300_000

export async function conform (name: ClientName): Promise<void> {
  const skip = name === 'undici' || name === 'eventsource' ? false : withoutBrowser(name as BrowserName)
  tap.setTimeout(TIMEOUT)
  await tap.test(`${name} reads what Pastelli sends as the standard says`, { skip, timeout: TIMEOUT }, async (t) => {
    const client = await openClient(t, name)
    const cases = sections.flatMap(({ cases }) => cases).filter(({ pagesOnly }) => client.page !== null || pagesOnly === undefined)
    const requests = cases.map((): Scene['requests'] => [])
    const server = await start(t, (app) => {
      app.get('/page', async (_request, reply) => await reply.type('text/html').send(PAGE))
      for (const [index, { serve }] of cases.entries()) {
        app.register(async (own) => {
          own.addHook('onRequest', async (request) => { requests[index]!.push(request) })
          serve?.(own)
        }, { prefix: `/${index}` })
      }
    })
    for (const { title, cases: own } of sections) {
      await t.test(title, async (t) => {
        for (const one of own) {
          const index = cases.indexOf(one)
          if (index === -1) t.comment(`for pages only, since ${one.pagesOnly}: ${one.name}`)
          else await t.test(one.name, async (t) => { await check(t, one, client, server, index, requests[index]!) })
        }
      })
    }
  })
}

async function check (t: Test, { play, wants, deviations }: Case, client: Client, { app, origin }: Server, index: number, requests: Scene['requests']): Promise<void> {
  const base = `${origin}/${index}`
  await client.visit(origin)
  const open: Scene['open'] = async (path = '/', options = {}) => await client.open(base + path, options)
  const outcome = await play({ t, client, app, base, requests, open })
  const deviation = deviations?.[client.name]
  if (deviation === undefined) {
    t.same(outcome, wants)
    return
  }
  t.notSame(deviation.gives, wants, 'what differs differs')
  t.same(outcome, deviation.gives, `it differs: ${deviation.because}`)
}
