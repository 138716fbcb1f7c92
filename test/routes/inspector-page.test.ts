/** The inspector's page in a browser: its lists, and what can be done from them. */
import t from 'tap'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { cell, open, violations, visitors } from '../support/inspector-page.ts'
import { subscribe } from '../support/subscriber.ts'
import { eventually, until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const NASTY = '<img src=x onerror="document.title=1">'

await t.test('in a browser', { skip: withoutChromium() }, async (t) => {
  const browser = await launchChromium(t)

  await t.test('connections are listed, searched, sorted and counted', async (t) => {
    const server = await open(t, browser)
    const { page, complaints } = server
    await visitors(t, server, 12)
    await cell(page, 'name-11').waitFor()
    t.equal(await page.locator('#open .value').textContent(), '12')
    t.equal(await page.locator('#connections-tab .count').textContent(), '12')

    await page.keyboard.press('/')
    await page.keyboard.type('market-1 name')
    await page.getByText('4 of 12').waitFor()
    await eventually(async () => await page.locator('#connections .row').count() === 4, 'four are left')
    t.same(await page.locator('#connections .row > :nth-child(2)').allTextContents(), ['name-1', 'name-4', 'name-7', 'name-10'], 'oldest first')
    await page.getByRole('button', { name: 'Name' }).click()
    await page.getByRole('columnheader', { name: 'Name' }).and(page.locator('[aria-sort=ascending]')).waitFor()
    await eventually(async () => (await page.locator('#connections .row > :nth-child(2)').allTextContents()).join() === 'name-1,name-10,name-4,name-7', 'they are sorted')
    await page.getByRole('searchbox').fill('nobody')
    await page.getByText('Nothing has these words.').waitFor()

    await page.getByRole('button', { name: '/prices/:market' }).click()
    await page.getByText('12 of 12').waitFor()
    t.equal(await page.getByRole('searchbox').inputValue(), '/prices/:market')
    await page.getByRole('button', { name: '/prices/:market', pressed: true }).click()
    t.equal(await page.getByRole('searchbox').inputValue(), '')
    t.same(complaints, [])
  })

  await t.test('of a long list only what is in sight is there, and the keys lead everywhere', async (t) => {
    const server = await open(t, browser)
    const { page } = server
    await visitors(t, server, 300)
    await page.locator('#connections [aria-rowcount="301"]').waitFor()
    const grid = page.getByRole('grid', { name: 'Connections' })
    await grid.focus()
    await page.keyboard.press('End')
    await cell(page, 'name-299').waitFor()
    t.ok(await page.locator('#connections .row').count() < 40)
    const active = page.locator('#connections .row.active')
    await eventually(async () => await active.count() === 1 && /name-299/.test(await active.textContent() ?? ''), 'the last one is active')
    t.equal(await grid.getAttribute('aria-activedescendant'), await active.getAttribute('id'))
    t.equal(await active.getAttribute('aria-rowindex'), '301')
    await page.keyboard.press('PageUp')
    await page.keyboard.press('ArrowUp')
    await eventually(async () => await active.count() === 1 && !/name-299/.test(await active.textContent() ?? 'name-299'), 'another one is active')
    await page.keyboard.press('Home')
    await cell(page, 'name-0').waitFor()
    await page.keyboard.press('ArrowDown')
    await eventually(async () => await active.locator(':nth-child(2)').textContent() === 'name-1', 'the second one is active')
    await page.evaluate('document.querySelector("#connections .view").scrollTop = 150 * 40')
    await cell(page, 'name-152').waitFor()
  })

  await t.test('one connection is looked at from near, and closed, with the keys alone', async (t) => {
    const server = await open(t, browser)
    const { app, page } = server
    await visitors(t, server, 3)
    await cell(page, 'name-2').waitFor()
    const [, second, third] = [...app.connections].filter(({ route }) => route.startsWith('/prices'))
    await page.locator('#connections-tab').focus()
    for (const stop of ['SEARCH', 'CHIP', 'CHIP', 'GRID', 'HEADER']) {
      await page.keyboard.press('Tab')
      const at = await page.evaluate('(({ activeElement: { type, role, dataset, parentElement } }) => type === "search" ? "SEARCH" : role === "grid" ? "GRID" : dataset.word ? "CHIP" : parentElement.role === "columnheader" ? "HEADER" : "LOST")(document)')
      t.equal(at, stop, 'the focus goes on')
    }
    await page.keyboard.press('ArrowLeft')
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Phase')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: second?.id as string })
    await dialog.waitFor()
    t.match(await dialog.textContent(), /name-1/)
    await dialog.getByText('prices:market-1').waitFor()
    t.same(await violations(page), [])
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Close properly')
    await page.keyboard.press('Enter')
    await dialog.getByText('It was closed.').waitFor()
    t.equal(await second?.closed, 'server')
    t.equal(await page.evaluate('document.activeElement.className'), 'dismiss', 'the focus is not lost')
    await page.keyboard.press('Escape')
    t.equal(await page.getByRole('dialog').count(), 0)
    t.equal(await page.evaluate('document.activeElement.role'), 'grid', 'and is back in the list')

    await cell(page, 'name-1').waitFor({ state: 'detached' })
    await cell(page, 'name-2').click()
    await page.getByRole('button', { name: 'Cut' }).click()
    await page.getByText('It was cut.').waitFor()
    t.equal(await third?.closed, 'server')
    await page.getByRole('button', { name: 'Back to the list' }).click()
    await cell(page, 'name-0').click()
    app.connections.get([...app.connections].find(({ name }) => name === 'name-0')?.id as string)?.close()
    await page.getByText('It has ended.').waitFor()
    t.ok(await page.getByRole('button', { name: 'Cut' }).isDisabled())
  })

  await t.test('a topic is watched, and a test event published', async (t) => {
    const server = await open(t, browser)
    const { app, origin, page, complaints } = server
    await visitors(t, server, 2)
    const client = await subscribe(t, origin, '/prices/market-0')
    await page.getByRole('tab', { name: 'Connections' }).focus()
    await page.keyboard.press('ArrowRight')
    await cell(page, 'prices:market-0').click()
    const dialog = page.getByRole('dialog', { name: 'prices:market-0' })
    await dialog.getByText('It goes to 2 real subscribers').waitFor()
    await until(() => [...app.connections].some(({ route }) => route === '/inspector/watch'))
    await app.topics.publish('prices:market-0', { cents: 7 }, { event: 'tick' })
    await dialog.getByText('{"cents":7}').waitFor()
    await dialog.getByLabel('Type').fill('test')
    await dialog.getByLabel('Data').fill(NASTY)
    await dialog.getByRole('button', { name: 'Publish' }).click()
    await dialog.getByText(/^Published as /).waitFor()
    await dialog.getByText(NASTY).waitFor()
    await client.count(2)
    t.match(client.events[1], { event: 'test', data: NASTY })
    await dialog.getByLabel('as JSON').check()
    await dialog.getByRole('button', { name: 'Publish' }).click()
    await dialog.getByText(/"data" must be JSON/).waitFor()
    await dialog.getByLabel('Data').fill('{ "n": 1 }')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await client.count(3)
    t.equal(client.data[2], '{"n":1}')
    for (let n = 0; n < 60; n++) await app.topics.publish('prices:market-0', n)
    await dialog.getByText(/more came at this moment/).waitFor()
    t.same(await violations(page), [])
    await page.keyboard.press('Escape')
    await until(() => ![...app.connections].some(({ route }) => route === '/inspector/watch'), 'nobody watches any more')
    t.same(complaints.filter((text) => !text.includes('400')), [], 'but for the answer to what was no JSON')
  })
})
