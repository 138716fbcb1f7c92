/** Many clients of one stream: opened some at a time, counted, and closed at once. */
import { lookup } from 'node:dns/promises'
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as TlsAgent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { createParser } from 'eventsource-parser'
import { ACCEPT, formatOf } from './formats.ts'
import { gapOf } from './gap.ts'
import type { Lateness } from './lateness.ts'
import { lineReader } from './lines.ts'
import { parseLine } from './ndjson.ts'
import type { Target } from './options.ts'
import { ENDED, NO_ANSWER } from './reasons.ts'
import { Tally } from './tally.ts'

// As many as a server's backlog is sure to hold.
const AT_ONCE = 100

export class Crowd {
  opened = 0
  readonly refused = new Tally()
  readonly lost = new Tally()
  events = 0
  /** Of bodies, as they are framed by nothing but their format. */
  bytes = 0
  gaps = 0
  /** From the request, its connection included, until the head of the answer, µs. */
  readonly heads = createHistogram()
  /** Where events are noted from now on. */
  lateness: Lateness | undefined
  readonly #target: Target
  readonly #agent: Agent
  // Those that have not been answered yet, and those that are open.
  readonly #asking = new Set<ClientRequest>()
  readonly #open = new Set<ClientRequest>()
  #lookup: LookupFunction | undefined
  #isOver = false
  #emptied = () => {}

  constructor (target: Target) {
    this.#target = target
    const options = { keepAlive: true, autoSelectFamily: true }   // so a lookup is asked for all addresses
    this.#agent = target.url.protocol === 'https:' ? new TlsAgent(options) : new Agent(options)
  }

  /**
   * Resolves when all have been answered, or it was given up.
   * @throws if there is no such host
   */
  async open (count: number, signal: AbortSignal): Promise<void> {
    this.#lookup = await lookUpOnce(this.#target.url.hostname)
    const giveUp = () => { for (const request of this.#asking) request.destroy(noAnswer()) }
    signal.addEventListener('abort', giveUp)
    let left = count
    const openSome = async () => { while (left-- > 0 && !signal.aborted) await this.#openOne() }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, openSome))
    signal.removeEventListener('abort', giveUp)
  }

  /** Resolves when nobody is there any more. */
  async empty (): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => { this.#emptied = resolve })
  }

  /** What comes of this is not counted. */
  close (): void {
    this.#isOver = true
    for (const request of this.#open) request.destroy()
  }

  #openOne (): Promise<void> {
    return new Promise((resolve) => {
      const began = performance.now()
      const request = this.#ask()
      this.#asking.add(request)
      let refusal: string | undefined
      let isOpen = false
      request.once('response', (response) => {
        this.#asking.delete(request)
        refusal = refusalOf(response)
        if (refusal === undefined) {
          this.heads.record(Math.max(1, Math.round((performance.now() - began) * 1_000)))
          isOpen = true
          this.#opened(request, response)
          resolve()
        } else {
          request.destroy()
        }
      })
      request.on('error', (error: NodeJS.ErrnoException) => { refusal ??= error.code ?? error.message })
      request.once('close', () => {
        if (isOpen) return
        this.#asking.delete(request)
        this.refused.add(refusal as string)
        resolve()
      })
    })
  }

  #ask (): ClientRequest {
    const { url, method, headers, body } = this.#target
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      agent: this.#agent,
      method,
      headers: { accept: ACCEPT, ...Object.fromEntries(headers) },
      ...this.#lookup && { lookup: this.#lookup }
    })
    return request.end(body)
  }

  #opened (request: ClientRequest, response: IncomingMessage): void {
    this.opened++
    this.#open.add(request)
    const isLines = formatOf(response.headers['content-type']) === 'ndjson'
    const read = isLines ? this.#lineReader() : this.#eventReader()
    response.on('data', (bytes: Buffer) => {
      this.bytes += bytes.length
      read(bytes.toString('latin1'))   // cheaper than UTF-8, and what is looked at are ids and numbers
    })
    if (isLines) response.once('end', () => { read('\n') })   // the last line may have no end
    let cut = ENDED
    response.once('error', (error: NodeJS.ErrnoException) => { cut = error.code ?? error.message })
    response.once('close', () => {
      if (this.#isOver) return
      this.#open.delete(request)
      this.lost.add(cut)
      if (this.#open.size === 0) this.#emptied()
    })
  }

  #eventReader (): (text: string) => void {
    const parser = createParser({ onEvent: ({ event, id, data }) => { this.#received(event, id, data) } })
    return (text) => { parser.feed(text) }
  }

  #lineReader (): (text: string) => void {
    return lineReader((line) => {
      const sent = parseLine(line)
      if (sent !== undefined) this.#received(sent.event, sent.id, sent.data)
    })
  }

  #received (event: string | undefined, id: string | undefined, data: string): void {
    if (gapOf(event, data) !== undefined) {
      this.gaps++
    } else {
      this.events++
      this.lateness?.note(id, data)
    }
  }
}

function refusalOf ({ statusCode, headers }: IncomingMessage): string | undefined {
  if (statusCode !== 200) return String(statusCode)
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') return `compressed by ${encoding}, which is not read`
  return formatOf(headers['content-type']) === undefined ? headers['content-type'] ?? 'no content type' : undefined
}

function noAnswer (): Error {
  return Object.assign(new Error('no answer in time'), { code: NO_ANSWER })
}

// Thousands of look-ups of one name would take longer than all that is measured. Undefined for what is an address already.
async function lookUpOnce (hostname: string): Promise<LookupFunction | undefined> {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  const addresses = await lookup(hostname, { all: true })
  return (_hostname, _options, found) => { found(null, addresses) }
}
