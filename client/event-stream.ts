/** Reads an event stream: its events, and where it is. */
import { createParser } from 'eventsource-parser'
import { StreamError } from './errors.ts'
import type { Link } from './link.ts'

// A line that sets the id, or one that ends a block. [spec] CRLF, LF or CR ends a line; an id with a NUL is ignored.
const ID_OR_END = /(?<=\n|\r(?!\n))(?:id(?:: ?([^\r\n\0]*))?(?=[\r\n])|\r\n|\n|\r)/g

// Of one event, in characters: a line may have no end.
const MOST = 2 ** 26

// A block that has an id and no data is short: there is no need to keep more of one that is long.
const KEPT = 1024

/** Takes the text as it comes. */
export function eventStreamReader ({ received, moved, delayed, options: { parse = parseJson } }: Link): (text: string) => void {
  const parser = createParser({
    onEvent: ({ event = 'message', data, id }) => { received(event, () => parse(data, event), id) },
    onRetry: delayed,
    maxBufferSize: MOST,
    onError: ({ type, message }) => { if (/^max/.test(type)) throw new StreamError('PST_ERR_OVERFLOW', message, { isFinal: true }) }
  })
  // The parser passes over a block without data, whose id counts all the same [spec]: so Pastelli tells positions.
  let rest = '\n'
  let id: string | undefined
  return (text) => {
    parser.feed(text)
    rest += text
    let end = 0
    let last: string | undefined
    for (const { 0: match, 1: value = '', index } of rest.matchAll(ID_OR_END)) {
      if (match.startsWith('id')) {
        id = value
      } else {
        last = id ?? last
        id = undefined
        end = index + match.length - 1   // the line end before what follows is kept
      }
    }
    rest = rest.slice(end).slice(-KEPT)
    if (last !== undefined) moved(last)   // not those before it: a position never goes back
  }
}

/** What JSON makes of the text; the text itself where it is none. */
export function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
