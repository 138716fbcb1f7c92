/** The inspector's page as it is seen, heard and read: its charts, its colours, and text that is never anything else. */
import type { BrowserContextOptions } from 'playwright-core'
import t from 'tap'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startInspected } from '../support/inspected.ts'
import { cell, OFTEN, open, streams, violations, visit, visitors } from '../support/inspector-page.ts'
import { subscribe } from '../support/subscriber.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const NASTY = '<img src=x onerror="document.title=1">'

await t.test('in a browser', { skip: withoutChromium() }, async (t) => {
  const browser = await launchChromium(t)

  await t.test('what clients and the app say is text, whatever it says', async (t) => {
    const server = await open(t, browser, (app) => {
      app.stream('/:name', { topics: NASTY }, (request, { connection }) => { connection.name = (request.params as { name: string }).name })
    })
    const { page, complaints } = server
    await subscribe(t, server.origin, `/${encodeURIComponent(NASTY)}`, { lastEventId: NASTY })
    await cell(page, NASTY).first().click()
    await page.getByRole('dialog').getByText(NASTY).first().waitFor()
    t.ok(await page.getByRole('dialog').getByText(NASTY).count() >= 3, 'name, Last-Event-ID and topic')
    await page.keyboard.press('Escape')
    await page.getByRole('tab', { name: 'Topics' }).click()
    await cell(page, NASTY).click()
    await page.getByRole('dialog', { name: NASTY }).waitFor()
    t.equal(await page.locator('img').count(), 0)
    t.equal(await page.title(), 'Pastelli inspector')
    t.same(complaints, [])
  })

  await t.test('the charts show what ended and can be read with the keys', async (t) => {
    const server = await open(t, browser)
    const { app, page } = server
    await visitors(t, server, 5)
    await page.locator('#open .value', { hasText: '5' }).waitFor()
    for (const connection of [...app.connections].filter(({ route }) => route.startsWith('/prices')).slice(0, 3)) connection.close('overflow')
    await page.locator('#closes li[data-line=overflow] b', { hasText: '3' }).waitFor()
    t.equal(await page.locator('#closes rect').evaluateAll((bars) => bars.every((bar) => (bar as unknown as { dataset: Record<string, string> }).dataset['line'] === 'overflow')), true)
    const chart = page.getByRole('slider', { name: 'How streams ended' })
    await chart.focus()
    // The bars of 5 s may have moved on by one.
    const texts: Array<string | null> = []
    for (const key of ['End', 'ArrowLeft', 'ArrowLeft']) {
      await page.keyboard.press(key)
      texts.push(await chart.getAttribute('aria-valuetext'))
    }
    t.ok(texts.some((text) => text?.endsWith('3 overflow')), texts.join('; '))
    t.equal(await chart.getAttribute('aria-valuenow'), '-10')
    await page.keyboard.press('Home')
    t.match(await chart.getAttribute('aria-valuetext'), /nobody looked$/)
    await page.keyboard.press('Escape')
    t.equal(await page.locator('#closes .readout').textContent(), '')
    const box = await page.locator('#delay .plot').boundingBox()
    if (box === null) throw new Error('there is no chart')
    await page.mouse.move(box.x + box.width - 2, box.y + 10)
    await page.getByText(/at worst, .* as a rule/).waitFor()
    t.ok(await page.locator('#delay path.line').count() >= 2)
    t.ok(await page.locator('#open .spark path').count() === 2)
  })

  await t.test('it is as it should be for those who hear it or see little, in the light, in the dark and on a phone', async (t) => {
    const server = await startInspected(t, streams, OFTEN)
    await visitors(t, server, 6)
    for (const context of [{ colorScheme: 'light' }, { colorScheme: 'dark' }, { viewport: { width: 390, height: 800 } }] satisfies BrowserContextOptions[]) {
      const { page, complaints } = await visit(t, browser, `${server.origin}/inspector/`, { reducedMotion: 'reduce', ...context })
      await cell(page, 'name-1').waitFor()
      t.same(await violations(page), [], JSON.stringify(context))
      const [paper, ink] = await page.evaluate('[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]') as [string, string]
      const [light, dark] = [paper, ink].map((colour) => Number(/[\d.]+/.exec(colour)?.[0])) as [number, number]
      t.equal(light > dark, !('colorScheme' in context) || context.colorScheme === 'light', `${paper} ${ink}`)
      t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, 'nothing hangs over')
      t.equal(await page.evaluate('getComputedStyle(document.querySelector(".underline")).animationName'), 'none', 'and nothing moves')
      await page.getByRole('tab', { name: 'Topics' }).click()
      await cell(page, 'prices:market-0').waitFor()
      t.same(await violations(page), [], `topics, ${JSON.stringify(context)}`)
      t.same(complaints, [])
      await page.close()
    }
  })
})
