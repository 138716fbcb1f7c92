/** The clients that are asked: pages of three browsers, and two packages in Node. */
import type { Test } from 'tap'
import { EventSource as UndiciEventSource } from 'undici'
import { EventSource as PackageEventSource } from 'eventsource'
import { type BrowserName, openBrowser, type Page } from '../support/pages.ts'
import { until } from '../support/until.ts'
import { type EventSourceClass, type EventSourceLike, type OpenOptions, record, type Recording, type Told } from './record.ts'

export type ClientName = BrowserName | 'undici' | 'eventsource'

/** An EventSource, wherever it is. */
export interface Source {
  /** All that it has told so far. */
  told: () => Promise<Told[]>
  /** Resolves once it has told of an `end`, or that it has ended for good. */
  over: () => Promise<void>
  /** Resolves once it has told so many things, or so many of this type. */
  count: (count: number, type?: string) => Promise<void>
  attributes: () => Promise<Pick<EventSourceLike, 'readyState' | 'url' | 'withCredentials'>>
  close: () => Promise<void>
}

export interface Client {
  readonly name: ClientName
  /** Null where there are no pages. */
  readonly page: Page | null
  /** Has the page be one of this origin, which serves `PAGE` at `/page`. */
  visit: (origin: string) => Promise<void>
  open: (url: string, options?: OpenOptions) => Promise<Source>
}

export const PAGE = `<!doctype html><title>conformance</title><script>window.recordings = []; window.record = ${record.toString()}</script>`

declare global {
  interface Window {
    recordings: Recording[]
    record: typeof record
  }
}

const CLASSES = { undici: UndiciEventSource, eventsource: PackageEventSource } as unknown as Record<ClientName, EventSourceClass | undefined>

/** Gone with the test. */
export async function openClient (t: Test, name: ClientName): Promise<Client> {
  const Class = CLASSES[name]
  if (Class === undefined) return inPage(name, await (await openBrowser(t, name as BrowserName))())
  return {
    name,
    page: null,
    visit: async () => {},
    open: async (url, options = {}) => inNode(t, record(Class, url, options))
  }
}

function inNode (t: Test, { source, told }: Recording): Source {
  t.teardown(() => { source.close() })
  return {
    told: async () => told,
    over: async () => { await until(() => told.some(({ type, readyState }) => type === 'end' || readyState === 2), 'it is over') },
    count: async (count, type) => {
      await until(() => told.filter((one) => type === undefined || one.type === type).length >= count, `${count} of ${type}; there were ${JSON.stringify(told).slice(0, 500)}`)
    },
    attributes: async () => ({ readyState: source.readyState, url: source.url, withCredentials: source.withCredentials }),
    close: async () => { source.close() }
  }
}

function inPage (name: ClientName, page: Page): Client {
  let here = ''
  return {
    name,
    page,
    visit: async (origin) => {
      if (origin === here) return
      await page.goto(`${origin}/page`)
      here = origin
    },
    open: async (url, options = {}) => {
      const index = await page.evaluate(({ url, options }) => window.recordings.push(window.record(window.EventSource as never, url, options)) - 1, { url, options })
      return {
        // As text: to serialize ten thousand objects takes some drivers seconds.
        told: async () => JSON.parse(await page.evaluate((index) => JSON.stringify(window.recordings[index]!.told), index)) as Told[],
        over: async () => { await page.until((index) => window.recordings[index]!.told.some(({ type, readyState }) => type === 'end' || readyState === 2), index) },
        count: async (count, type) => {
          await page.until(({ index, count, type }) => window.recordings[index]!.told.filter((one) => type === undefined || one.type === type).length >= count, { index, count, type })
        },
        attributes: async () => await page.evaluate((index) => {
          const { readyState, url, withCredentials } = window.recordings[index]!.source
          return { readyState, url, withCredentials }
        }, index),
        close: async () => { await page.evaluate((index) => { window.recordings[index]!.source.close() }, index) }
      }
    }
  }
}
