/** An event as a line: for people, or as JSON. */
import { styleText } from 'node:util'
import { type Gap, gapOf } from './gap.ts'
import { isJson } from './ndjson.ts'
import { visible } from './visible.ts'

export interface PrintedEvent {
  event: string
  id: string | undefined
  /** Text as it came; of a WebSocket any value. */
  data: unknown
}

/** When it is to be said when it came. */
export type Clock = () => Date

export interface Printer {
  event: (event: PrintedEvent) => string
  comment: (text: string) => string
}

const WHY_GAP: Record<string, string> = {
  trimmed: 'the server keeps them no longer',
  foreign: 'the server\'s log is another one, as after a restart',
  malformed: 'the server knows no such id',
  overflow: 'they were read too slowly'
}

type Style = Parameters<typeof styleText>[0]
type Paint = (style: Style, text: string) => string

/** @param isScreen whether somebody looks at it, whose terminal is not to be steered by what comes */
export function forPeople ({ isScreen, isColoured, clock }: { isScreen: boolean, isColoured: boolean, clock: Clock | undefined }): Printer {
  const paint: Paint = isColoured ? (style, text) => styleText(style, text) : (_style, text) => text
  const shown = isScreen ? visible : (text: string) => text
  const line = (text: string) => `${clock === undefined ? '' : `${paint('gray', clock().toISOString())}  `}${text}\n`
  return {
    event: ({ event, id, data }) => {
      const gap = gapOf(event, data)
      if (gap !== undefined) return line(paint(['bold', 'yellow'], shown(describe(gap))))
      const text = shown(textOf(data)).replaceAll('\n', '\n    ')
      return line(`${paint('cyan', shown(event))}  ${paint('gray', shown(id || '-'))}  ${text}`)
    },
    comment: (text) => line(paint('gray', shown(`:${text}`)))
  }
}

export function asJson ({ clock }: { clock: Clock | undefined }): Printer {
  // What JSON does not escape can steer a terminal. It is within strings only.
  const escaped = (json: string) => json.replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`)
  const object = (...members: Array<[name: string, json: string] | undefined>) => {
    const at: [string, string] | undefined = clock && ['at', JSON.stringify(clock())]
    return `{${[at, ...members].flatMap((member) => member === undefined ? [] : [`"${member[0]}":${escaped(member[1])}`]).join(',')}}\n`
  }
  return {
    event: ({ event, id, data }) => object(
      ['event', JSON.stringify(event)],
      id === undefined ? undefined : ['id', JSON.stringify(id)],
      ['data', jsonOf(data)]
    ),
    comment: (text) => object(['comment', JSON.stringify(text.trim())])
  }
}

function describe ({ reason, from, to }: Gap): string {
  return `gap: events ${from === null ? '' : `behind ${from} `}are missing (${WHY_GAP[reason] ?? reason}); it goes on behind ${to}`
}

function textOf (data: unknown): string {
  if (typeof data === 'string') return data
  return data instanceof ArrayBuffer ? `(${data.byteLength} bytes)` : JSON.stringify(data)
}

// The text itself where it is JSON: a number may have more digits than JSON.parse gives back. Its line ends are between tokens.
function jsonOf (data: unknown): string {
  if (typeof data === 'string') return isJson(data) ? data.replaceAll('\n', ' ').trim() : JSON.stringify(data)
  return data instanceof ArrayBuffer ? JSON.stringify({ base64: Buffer.from(data).toString('base64') }) : JSON.stringify(data)
}
