/** The inspector's page when its line is cut, and behind a proxy. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startInspected } from '../support/inspected.ts'
import { cell, OFTEN, open, streams, violations, visit, visitors } from '../support/inspector-page.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

await t.test('in a browser', { skip: withoutChromium() }, async (t) => {
  const browser = await launchChromium(t)

  await t.test('after a restart it goes on, and says so', async (t) => {
    const first = await open(t, browser)
    const { page, port } = first
    await visitors(t, first, 4)
    await page.locator('#open .value', { hasText: '4' }).waitFor()
    await first.app.close()
    await page.getByText('Reconnecting…').waitFor()
    const second = await startInspected(t, streams, OFTEN, {}, port)
    await page.getByText(/The server was restarted at [\d:]+: its connections are new\./).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await page.locator('#open .value', { hasText: '0' }).waitFor()
    await page.locator('#delay .restart').waitFor({ state: 'attached' })
    t.equal(await page.locator('#closes .restart').count(), 1)
    await visitors(t, second, 2)
    await cell(page, 'name-1').waitFor()
    t.same(await violations(page), [])
  })

  await t.test('who may not look any more is told', async (t) => {
    let isAllowed = true
    let asked = 0
    const server = await open(t, browser, streams, {
      auth: async (_request, reply) => {
        asked++
        if (!isAllowed) return reply.code(401).send({ message: 'who are you?' })
      }
    })
    const { app, page } = server
    isAllowed = false
    for (const connection of app.connections) connection.close('expired')
    await page.getByText('Not allowed any more').waitFor()
    const before = asked
    await page.getByRole('tab', { name: 'Topics' }).click()
    await until(() => asked > before)
    t.equal(app.connections.size, 0)
  })

  await t.test('it works behind a proxy that adds a path', async (t) => {
    const server = await startInspected(t, streams, OFTEN)
    const proxy = http.createServer((request: IncomingMessage, response: ServerResponse) => {
      const outgoing = http.request({ port: server.port, host: '127.0.0.1', method: request.method, path: String(request.url).replace('/tools/web', ''), headers: request.headers }, (incoming) => {
        response.writeHead(Number(incoming.statusCode), incoming.headers)
        incoming.pipe(response)
      })
      outgoing.on('error', () => { response.destroy() })
      request.pipe(outgoing)
      response.on('close', () => { outgoing.destroy() })
    })
    await new Promise<void>((resolve) => { proxy.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      proxy.close()
      proxy.closeAllConnections()
    })
    await visitors(t, server, 2)
    const { page, complaints } = await visit(t, browser, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/tools/web/inspector`)
    t.match(page.url(), /\/tools\/web\/inspector\/$/)
    await cell(page, 'name-1').waitFor()
    t.same(complaints, [])
    await cell(page, 'name-1').click()
    await page.getByRole('button', { name: 'Close properly' }).click()
    await page.getByText('It was closed.').waitFor()
  })
})
