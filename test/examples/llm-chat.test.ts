/** The chat: its endpoints with the clients that they are made for, its page in a browser, its server as a process. */
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { DefaultChatTransport, readUIMessageStream, type UIMessage } from 'ai'
import type { FastifyInstance } from 'fastify'
import OpenAI from 'openai'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { AnswersOptions } from '../../examples/llm-chat/answers.ts'
import { buildApp } from '../../examples/llm-chat/app.ts'
import { crayon, type Message, type Model, tokenize } from '../../examples/llm-chat/model.ts'
import { compose } from '../../examples/llm-chat/prose.ts'
import { type OpenStream, openStream, type StreamEvent } from '../../testing/index.ts'
import { launchChromium, withoutChromium } from '../support/browser.ts'
import { startDemo } from '../support/demo.ts'
import { until } from '../support/until.ts'

// A browser on a busy machine takes its time.
t.setTimeout(120_000)

const SERVER = fileURLToPath(new URL('../../examples/llm-chat/server.js', import.meta.url))
const QUESTION = 'What colour is rain?'
const ANSWER = compose([{ role: 'user', content: QUESTION }])

/** A model that says what the test says, when the test says it. */
class Dictation implements Model {
  readonly name = 'dictation'
  readonly asked: Array<readonly Message[]> = []
  /** When an answer ended, however; ms. */
  readonly ended: number[] = []
  #tokens: string[] = []
  #end: 'all' | Error | null = null
  #wake: Array<() => void> = []

  say (...tokens: string[]): this {
    this.#tokens.push(...tokens)
    return this.#changed()
  }

  /** Ends the answer, and begins another. */
  end (how: 'all' | Error = 'all'): this {
    this.#end = how
    return this.#changed()
  }

  next (): this {
    this.#tokens = []
    this.#end = null
    return this
  }

  async * answer (messages: readonly Message[], signal: AbortSignal): AsyncGenerator<string> {
    this.asked.push(messages)
    signal.addEventListener('abort', () => { this.#changed() }, { once: true })
    const tokens = this.#tokens
    try {
      for (let at = 0; ;) {
        signal.throwIfAborted()
        if (at < tokens.length) yield tokens[at++] as string
        else if (this.#end === 'all') return
        else if (this.#end !== null) throw this.#end
        else await new Promise<void>((resolve) => { this.#wake.push(resolve) })
      }
    } finally {
      this.ended.push(performance.now())
    }
  }

  #changed (): this {
    for (const wake of this.#wake.splice(0)) wake()
    return this
  }
}

async function start (t: Test, options: Partial<AnswersOptions> = {}, port = 0): Promise<{ app: FastifyInstance, port: number, origin: string }> {
  const app = await buildApp({ model: crayon({ pace: 0 }), ...options })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port })
  const { port: given } = app.server.address() as AddressInfo
  return { app, port: given, origin: `http://127.0.0.1:${given}` }
}

async function dictate (t: Test, options: Partial<AnswersOptions> = {}): Promise<{ app: FastifyInstance, origin: string, model: Dictation }> {
  const model = new Dictation()
  return { ...await start(t, { model, ...options }), model }
}

t.test('the model answers the same to the same conversation, and its tokens are its text', async (t) => {
  const ask = (...questions: string[]) => compose(questions.map((content) => ({ role: 'user', content })))
  t.equal(ask(QUESTION), ANSWER)
  t.match(ANSWER, 'rain')
  t.equal(new Set([ask(QUESTION), ask('And snow?'), ask(QUESTION, 'And snow?'), ask('And snow?', QUESTION), ask('')]).size, 5)
  const odd = `${ANSWER} – “grüezi” 🎨👩‍🎨\n\n\t1,000 ‘x’  `
  for (const text of [ANSWER, odd]) t.equal(tokenize(text).join(''), text)
  t.ok(tokenize(ANSWER).length > 60)
  const tokens: string[] = []
  for await (const token of crayon({ pace: 0 }).answer([{ role: 'user', content: QUESTION }], new AbortController().signal)) tokens.push(token)
  t.equal(tokens.join(''), ANSWER)
})

t.test('the openai client', async (t) => {
  const clientOf = (origin: string) => new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', maxRetries: 0 })
  const request = { model: 'crayon-1', messages: [{ role: 'user' as const, content: QUESTION }] }

  await t.test('streams a completion, token by token', async (t) => {
    const { origin } = await start(t)
    const stream = await clientOf(origin).chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta))
    t.same(deltas[0], { role: 'assistant', content: '' })
    t.same(deltas.slice(1, -1).map(({ content }) => content), tokenize(ANSWER))
    t.same(deltas.at(-1), {})
    t.same(chunks.flatMap(({ choices }) => choices.map(({ finish_reason: reason }) => reason)), [...deltas.slice(1).map(() => null), 'stop'])
    t.match(chunks[0], { id: /^chatcmpl-/, object: 'chat.completion.chunk', model: 'crayon-1', created: Number })
    t.equal(new Set(chunks.map(({ id }) => id)).size, 1)
    const count = tokenize(ANSWER).length
    t.same(chunks.at(-1)?.usage, { prompt_tokens: 5, completion_tokens: count, total_tokens: 5 + count })
  })

  await t.test('gets it as a whole', async (t) => {
    const { origin } = await start(t)
    const client = clientOf(origin)
    const { choices: [choice], usage } = await client.chat.completions.create(request)
    t.match(choice, { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: ANSWER } })
    t.equal(usage?.completion_tokens, tokenize(ANSWER).length)
    const parts = [{ type: 'text' as const, text: 'What colour ' }, { type: 'text' as const, text: 'is rain?' }]
    const inParts = await client.chat.completions.create({ ...request, messages: [{ role: 'user', content: parts }] })
    t.equal(inParts.choices[0]?.message.content, ANSWER)
    for (const most of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
      const short = await client.chat.completions.create({ ...request, ...most })
      t.match(short.choices[0], { finish_reason: 'length', message: { content: tokenize(ANSWER).slice(0, 3).join('') } })
    }
    const exact = await client.chat.completions.create({ ...request, max_tokens: tokenize(ANSWER).length })
    t.equal(exact.choices[0]?.finish_reason, 'stop')
  })

  await t.test('gets each token as soon as it is there', async (t) => {
    const { origin, model } = await dictate(t)
    const stream = await clientOf(origin).chat.completions.create({ ...request, stream: true })
    const tokens = stream[Symbol.asyncIterator]()
    t.equal((await tokens.next()).value?.choices[0]?.delta.role, 'assistant')
    for (const token of ['Red', ' and', '\n\n', ' blue']) {
      model.say(token)
      t.equal((await tokens.next()).value?.choices[0]?.delta.content, token)
    }
    model.end()
    t.equal((await tokens.next()).value?.choices[0]?.finish_reason, 'stop')
    t.equal((await tokens.next()).done, true)
  })

  await t.test('that aborts stops the model within 100 ms, whether it streams or not', async (t) => {
    const { app, origin, model } = await dictate(t)
    const client = clientOf(origin)
    const stream = await client.chat.completions.create({ ...request, stream: true })
    const reading = (async () => { for await (const chunk of stream) void chunk })()
    await until(() => model.asked.length === 1)
    let aborted = performance.now()
    stream.controller.abort()
    await until(() => model.ended.length === 1)
    t.ok(model.ended[0] as number - aborted < 100, `${model.ended[0] as number - aborted} ms`)
    await reading
    t.equal(app.connections.counts.client, 1)

    const controller = new AbortController()
    const whole = client.chat.completions.create(request, { signal: controller.signal })
    await until(() => model.asked.length === 2)
    aborted = performance.now()
    controller.abort()
    await t.rejects(whole, { message: 'Request was aborted.' })
    await until(() => model.ended.length === 2)
    t.ok(model.ended[1] as number - aborted < 100, `${model.ended[1] as number - aborted} ms`)
  })

  await t.test('understands what goes wrong', async (t) => {
    const { origin, model } = await dictate(t)
    const client = clientOf(origin)
    for (const wrong of [{ messages: [] }, { messages: 'hello' }, { max_tokens: 0 }]) {
      await t.rejects(client.chat.completions.create({ ...request, ...wrong } as typeof request), { status: 400, type: 'invalid_request_error', message: /body/ })
    }
    t.equal(model.asked.length, 0)
    model.end(new Error('the secret of the house'))
    await t.rejects(client.chat.completions.create(request), { status: 500, type: 'server_error', message: '500 The model has failed' })
    model.next().say('Red')
    const stream = await client.chat.completions.create({ ...request, stream: true })
    const seen: unknown[] = []
    await t.rejects(async () => {
      for await (const { choices } of stream) {
        seen.push(choices[0]?.delta.content)
        if (seen.length === 2) model.end(new Error('the secret of the house'))
      }
    }, { message: 'The model has failed', type: 'server_error' })
    t.same(seen, ['', 'Red'])
    const raw = await (await fetch(`${origin}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...request, stream: true }) })).text()
    t.match(raw, /"The model has failed"/)
    t.notMatch(raw, /DONE/)
  })

  await t.test('gets a [DONE] behind the last chunk', async (t) => {
    const { origin } = await start(t)
    const response = await fetch(`${origin}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json' }, body: JSON.stringify({ ...request, stream: true }) })
    t.match(response.headers.get('content-type'), 'text/event-stream')
    const blocks = (await response.text()).split('\n\n')
    t.same(blocks.slice(-2), ['data: [DONE]', ''])
    for (const block of blocks.slice(0, -2)) t.doesNotThrow(() => JSON.parse(block.slice('data: '.length)), block)
  })
})

t.test('the AI SDK', async (t) => {
  const messages: UIMessage[] = [{ id: 'q', role: 'user', parts: [{ type: 'text', text: QUESTION }] }]
  const send = (origin: string, abortSignal?: AbortSignal) => new DefaultChatTransport({ api: `${origin}/api/chat` })
    .sendMessages({ trigger: 'submit-message', chatId: 'chat', messageId: undefined, messages, abortSignal })

  await t.test('reads a message that grows with each token', async (t) => {
    const { origin } = await start(t)
    const seen: string[] = []
    let last: UIMessage | undefined
    for await (const message of readUIMessageStream({ stream: await send(origin), terminateOnError: true })) {
      last = message
      seen.push(textOf(message))
    }
    t.equal(last?.role, 'assistant')
    t.same(last?.parts, [{ type: 'text', text: ANSWER, state: 'done', providerMetadata: undefined }])
    const tokens = tokenize(ANSWER)
    t.same([...new Set(seen.filter((text) => text !== ''))], tokens.map((_, i) => tokens.slice(0, i + 1).join('')))
  })

  await t.test('gets its parts in their order, and a [DONE]', async (t) => {
    const { origin } = await start(t)
    const response = await fetch(`${origin}/api/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages }) })
    t.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1')
    const data = (await response.text()).trim().split('\n\n').map((block) => block.replace(/^data: /, ''))
    t.equal(data.pop(), '[DONE]')
    const types = data.map((json) => (JSON.parse(json) as { type: string }).type)
    t.same(types, ['start', 'text-start', ...tokenize(ANSWER).map(() => 'text-delta'), 'text-end', 'finish'])
    t.equal((await fetch(`${origin}/api/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status, 400)
  })

  await t.test('that aborts stops the model within 100 ms', async (t) => {
    const { origin, model } = await dictate(t)
    const controller = new AbortController()
    const stream = await send(origin, controller.signal)
    model.say('Red')
    const reader = stream.getReader()
    for (let type = ''; type !== 'text-delta';) ({ type } = (await reader.read()).value as { type: string })
    const aborted = performance.now()
    controller.abort()
    await until(() => model.ended.length === 1)
    t.ok(model.ended[0] as number - aborted < 100, `${model.ended[0] as number - aborted} ms`)
    await t.rejects(async () => { while (!(await reader.read()).done); }, { name: 'AbortError' })
  })

  await t.test('is told of a failure, and no more of it than that', async (t) => {
    const { origin, model } = await dictate(t)
    model.say('Red').end(new Error('the secret of the house'))
    const reading = async () => { for await (const message of readUIMessageStream({ stream: await send(origin), terminateOnError: true })) void message }
    await t.rejects(reading, { message: 'The model has failed' })
  })
})

t.test('the page\'s own chat', async (t) => {
  await t.test('a question is answered in a stream of its own, which every client gets from where it was', async (t) => {
    const { app, origin, model } = await dictate(t)
    const turns = await open(app, '/chats/a/turns')
    t.same(await next(turns), { event: 'turns', data: [] })
    const { status, location, turn } = await ask(origin, 'a', QUESTION)
    t.equal(status, 201)
    t.equal(location, `/answers/${turn.id}`)
    t.same(turn, { id: turn.id, question: QUESTION, answer: '', state: 'writing' })
    t.same(await next(turns), { event: 'turn', data: turn })

    model.say('Red', ' and')
    const first = await open(app, location)
    t.same([await next(first), await next(first)], [{ event: 'message', data: { token: 'Red' } }, { event: 'message', data: { token: ' and' } }])
    const second = await openStream(app, { url: location, via: 'port' })
    const { id } = await nextEvent(second)
    second.close()
    const third = await openStream(app, { url: location, via: 'port', lastEventId: id as string })
    model.say(' blue').end()
    const rest = [{ event: 'message', data: { token: ' blue' } }, { event: 'end', data: { state: 'done' } }]
    t.same([await next(first), await next(first)], rest)
    t.same([await next(third), await next(third), await next(third)], [{ event: 'message', data: { token: ' and' } }, ...rest])
    t.equal(await first.ended, 'complete')
    t.same(await next(turns), { event: 'turn', data: { ...turn, answer: 'Red and blue', state: 'done' } })
    t.equal(model.asked.length, 1)

    const late = await open(app, '/chats/a/turns')
    t.same(await next(late), { event: 'turns', data: [{ ...turn, answer: 'Red and blue', state: 'done' }] })
    const other = await open(app, '/chats/b/turns')
    t.same(await next(other), { event: 'turns', data: [] })
    for (const stream of [turns, late, other]) stream.close()
  })

  await t.test('the model is told what was said before', async (t) => {
    const { app, origin, model } = await dictate(t)
    model.say('Blue').end()
    for (const question of ['First?', 'Second?']) {
      const { location } = await ask(origin, 'a', question)
      await (await open(app, location)).ended
    }
    t.same(model.asked[1], [{ role: 'user', content: 'First?' }, { role: 'assistant', content: 'Blue' }, { role: 'user', content: 'Second?' }])
  })

  await t.test('whoever stops it stops it for all, within 100 ms', async (t) => {
    const { app, origin, model } = await dictate(t)
    const { location, turn } = await ask(origin, 'a', QUESTION)
    model.say('Red')
    const clients = [await open(app, location), await open(app, location)]
    for (const client of clients) await next(client)
    const began = performance.now()
    t.equal((await fetch(origin + location, { method: 'DELETE' })).status, 204)
    for (const client of clients) t.same(await next(client), { event: 'end', data: { state: 'stopped' } })
    t.ok(model.ended[0] as number - began < 100, `${model.ended[0] as number - began} ms`)
    const turns = await open(app, '/chats/a/turns')
    t.same((await next(turns)).data, [{ ...turn, answer: 'Red', state: 'stopped' }])
    turns.close()
    t.equal((await fetch(origin + location, { method: 'DELETE' })).status, 204, 'again: it stays so')
  })

  await t.test('stopped before anybody has asked for it, it is not written', async (t) => {
    const { app, origin, model } = await dictate(t)
    const { location } = await ask(origin, 'a', QUESTION)
    await fetch(origin + location, { method: 'DELETE' })
    const client = await open(app, location)
    t.same([await next(client), await next(client)], [{ event: 'message', data: { token: '' } }, { event: 'end', data: { state: 'stopped' } }])
    t.equal(model.asked.length, 0)
  })

  await t.test('nobody reads it: the model stops, and what it wrote is kept', async (t) => {
    const { app, origin, model } = await dictate(t, { abandonAfter: 30 })
    const { location, turn } = await ask(origin, 'a', QUESTION)
    model.say('Red')
    const client = await open(app, location)
    await next(client)
    client.close()
    await until(() => model.ended.length === 1)
    const turns = await open(app, '/chats/a/turns')
    t.same((await next(turns)).data, [{ ...turn, answer: 'Red', state: 'stopped' }])
    turns.close()
  })

  await t.test('a model that fails says so, and not why', async (t) => {
    const { app, origin, model } = await dictate(t)
    const { location, turn } = await ask(origin, 'a', QUESTION)
    model.say('Red')
    const client = await open(app, location)
    await next(client)
    model.end(new Error('the secret of the house'))
    t.same(await next(client), { event: 'error', data: { message: 'Internal Server Error' } })
    const turns = await open(app, '/chats/a/turns')
    t.same((await next(turns)).data, [{ ...turn, answer: 'Red', state: 'failed' }])
    turns.close()
  })

  await t.test('what is no question, no chat or no answer is refused', async (t) => {
    const { origin, model } = await dictate(t)
    for (const body of [{}, { text: '' }, { text: ' \n' }, { text: 'x'.repeat(2_001) }, [], null]) t.equal((await post(origin, 'a', body)).status, 400, JSON.stringify(body))
    t.equal((await post(origin, 'a b', { text: QUESTION })).status, 400)
    t.equal((await fetch(`${origin}/chats/${'x'.repeat(65)}/turns`)).status, 400)
    for (const method of ['GET', 'DELETE']) t.equal((await fetch(`${origin}/answers/nobody`, { method })).status, 404)
    for (let n = 0; n < 100; n++) await post(origin, 'full', { text: QUESTION })
    t.equal((await post(origin, 'full', { text: QUESTION })).status, 409)
    t.equal(model.asked.length, 0)
  })
})

t.test('the address leads to a chat of one\'s own', async (t) => {
  const { origin } = await start(t)
  const first = await fetch(origin, { redirect: 'manual' })
  t.equal(first.status, 302)
  t.match(first.headers.get('location'), /^\/chats\/[\w-]{16}$/)
  const page = await fetch(origin)
  t.match(page.headers.get('content-type'), 'text/html')
  t.match(page.headers.get('content-security-policy'), "default-src 'self'")
})

t.test('in Chromium', { skip: withoutChromium(), timeout: 100_000 }, async (t) => {
  const browser = await launchChromium(t)

  /** A browser of its own for each test: what it opens, and what its console complains of. */
  const visit = async (t: Test, options: BrowserContextOptions = {}) => {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
    t.teardown(() => context.close())
    context.setDefaultTimeout(30_000)
    const complaints: string[] = []
    context.on('weberror', (error) => { complaints.push(String(error.error())) })
    context.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
    const openChat = async (url: string): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(url)
      await page.waitForSelector('[data-state=live]')
      return page
    }
    return { context, complaints, openChat }
  }
  const answer = (page: Page, number = 0) => page.locator('.turn .answer').nth(number)
  // Asked from outside: the page's own policy lets nothing be evaluated in it.
  const holds = async (page: Page, expression: string) => {
    for (const deadline = Date.now() + 20_000; !await page.evaluate(expression);) {
      if (Date.now() > deadline) throw new Error(`waited in vain until ${expression}; the page shows ${await page.locator('body').innerText()}`)
    }
  }
  const shows = async (page: Page, text: string, state = 'writing', number = 0) => {
    await holds(page, `((turn) => turn?.querySelector('.text').textContent === ${JSON.stringify(text)} && turn.dataset.state === '${state}')(document.querySelectorAll('.turn')[${number}])`)
  }
  const type = async (page: Page, question: string) => {
    await page.getByLabel('Your question').fill(question)
    await page.keyboard.press('Enter')
  }

  await t.test('tokens appear as they come, also after a reload in the middle, and in a second tab', async (t) => {
    const { app, origin, model } = await dictate(t)
    const { context, complaints, openChat } = await visit(t)
    const page = await openChat(origin)
    await type(page, QUESTION)
    await page.waitForSelector('.turn')
    let text = ''
    for (const token of ['Red', ' and', ' then', '\n\n', '<b>Blue', '</b>']) {
      model.say(token)
      text += token
      await shows(page, text)
    }
    t.equal(await page.locator('.turn').getAttribute('data-tokens'), '6')
    t.equal(await page.locator('.question').innerText(), QUESTION)

    await page.reload()
    await shows(page, text)
    t.equal(await page.locator('.turn').getAttribute('data-tokens'), '6', 'none lost, none twice')
    const second = await openChat(page.url())
    await shows(second, text)
    model.say(' and', ' Green')
    text += ' and Green'
    await Promise.all([shows(page, text), shows(second, text)])

    await page.getByRole('button', { name: 'Cut the line' }).click()
    await until(() => app.connections.counts.server >= 4)   // both streams of both pages
    model.say(', at last.').end()
    text += ', at last.'
    await Promise.all([shows(page, text, 'done'), shows(second, text, 'done')])
    for (const tab of [page, second]) t.equal(await tab.locator('.turn').getAttribute('data-tokens'), '9')
    t.equal(model.asked.length, 1)
    await holds(page, `document.querySelector('#news').textContent === ${JSON.stringify(text)}`)

    await page.reload()
    await shows(page, text, 'done')
    t.same(complaints.filter((text) => !text.includes('ERR_')), [], 'but for what was cut')
    await context.close()
  })

  await t.test('a question that is asked in one tab is answered in the other, which stops it', async (t) => {
    const { origin, model } = await dictate(t)
    const { context, complaints, openChat } = await visit(t)
    const page = await openChat(origin)
    const second = await openChat(page.url())
    await page.getByRole('button', { name: 'Why are flamingos?' }).click()
    model.say('Rose')
    await Promise.all([shows(page, 'Rose'), shows(second, 'Rose')])
    await second.getByRole('button', { name: 'Stop the answer' }).click()
    await Promise.all([shows(page, 'Rose', 'stopped'), shows(second, 'Rose', 'stopped')])
    t.equal(model.ended.length, 1)
    t.match(await page.locator('.note').innerText(), 'Stopped')

    model.next().say('Because').end()
    await type(second, 'Why?')
    await Promise.all([shows(page, 'Because', 'done', 1), shows(second, 'Because', 'done', 1)])
    t.equal(await answer(page, 1).getAttribute('aria-busy'), 'false')
    await page.getByRole('link', { name: 'New chat' }).click()
    await page.waitForSelector('.welcome h1')
    t.equal(await page.locator('.turn').count(), 0)
    t.same(complaints, [])
    await context.close()
  })

  await t.test('with keys alone, on a phone, in the dark', async (t) => {
    const { origin, model } = await dictate(t)
    const { context, complaints, openChat } = await visit(t, { colorScheme: 'dark', viewport: { width: 360, height: 640 } })
    const page = await openChat(origin)
    await page.keyboard.type('Two')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('lines?')
    await page.keyboard.press('Enter')
    model.say(`${'W'.repeat(200)} `, ...Array.from({ length: 60 }, (_, n) => `line ${n}\n`))
    await holds(page, "document.querySelector('.text')?.textContent.includes('line 59')")
    t.equal(await page.locator('.question').innerText(), 'Two\nlines?')
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing is wider than the phone')
    t.ok(await page.evaluate('document.documentElement.scrollHeight - scrollY - innerHeight < 2'), 'the page goes along')
    await page.evaluate('scrollTo(0, 0)')
    await holds(page, 'scrollY === 0')
    await page.evaluate('new Promise((resolve) => { requestAnimationFrame(() => { requestAnimationFrame(resolve) }) })')   // it has heard of that
    model.say('more')
    await holds(page, "document.querySelector('.text').textContent.endsWith('more')")
    t.equal(await page.evaluate('scrollY'), 0, 'but not with one who reads further up')
    await page.keyboard.press('Escape')
    await page.waitForSelector('.turn[data-state=stopped]')
    t.same(complaints, [])
    await context.close()
  })

  await t.test('a server that has been restarted has forgotten the answer, and the page says so', async (t) => {
    const model = new Dictation()
    const first = await start(t, { model })
    const { context, openChat } = await visit(t)
    const page = await openChat(first.origin)
    await type(page, QUESTION)
    model.say('Red')
    await shows(page, 'Red')
    await first.app.close()
    await page.waitForSelector('[data-state=reconnecting]')
    await start(t, { model }, first.port)
    await shows(page, 'Red', 'lost')
    model.next().say('Blue').end()
    await type(page, QUESTION)
    await shows(page, 'Blue', 'done', 1)
    await context.close()
  })
})

t.test('the server says where it is in one line, serves its page from anywhere, and ends well', async (t) => {
  const { origin, ends } = await startDemo(t, SERVER)
  t.match(await (await fetch(origin)).text(), 'a box of crayons')
  const { location } = await ask(origin, 'a', QUESTION)
  const stream = await fetch(origin + location)
  await ends(stream, 'SIGTERM')
})

async function open (app: FastifyInstance, url: string): Promise<OpenStream> {
  return await openStream(app, { url, via: 'port' })
}

/** The next event that is no heartbeat. */
async function nextEvent (stream: OpenStream): Promise<StreamEvent> {
  const event = await stream.next()
  return event.event === 'heartbeat' ? await nextEvent(stream) : event
}

/** Its type, and its data unpacked. */
async function next (stream: OpenStream): Promise<{ event: string, data: unknown }> {
  const { event, data } = await nextEvent(stream)
  return { event, data: JSON.parse(data) }
}

async function post (origin: string, chat: string, body: unknown): Promise<Response> {
  return await fetch(`${origin}/chats/${encodeURIComponent(chat)}/questions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

async function ask (origin: string, chat: string, text: string): Promise<{ status: number, location: string, turn: { id: string } }> {
  const response = await post(origin, chat, { text })
  return { status: response.status, location: response.headers.get('location') as string, turn: await response.json() as { id: string } }
}

function textOf ({ parts }: UIMessage): string {
  return parts.map((part) => part.type === 'text' ? part.text : '').join('')
}
