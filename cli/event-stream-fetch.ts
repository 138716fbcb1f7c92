/** A `fetch` whose answers are event streams, as the client reads them: of lines of JSON, and of comments, it makes events. */
import { EVENT_STREAM, formatOf } from './formats.ts'
import { lineReader } from './lines.ts'
import { parseLine } from './ndjson.ts'

// Lines of JSON have no heartbeats that tell who is there from who is not: silence says nothing, ms.
const BEAT_EVERY = 1_000
const BEAT = ':\n\n'

export interface FetchOptions {
  /** Comments become events of this type. */
  comments?: string
  answered: (response: Response) => void
}

export function eventStreamFetch ({ comments, answered }: FetchOptions): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    answered(response)
    const { status, body } = response
    if (status !== 200 || body === null) return response
    const format = formatOf(response.headers.get('content-type'))
    if (format === 'ndjson') return answerOf(body, eventsOfLines(), BEAT_EVERY, '\n')   // whose last line may have no end
    if (comments !== undefined && format === 'event-stream') return answerOf(body, eventsOfComments(comments), 0, '')
    return response
  }
}

type Translate = (text: string) => string

function eventsOfLines (): Translate {
  let events = ''
  const read = lineReader((line) => {
    const sent = parseLine(line)
    if (sent === undefined) return
    const { event, id, data } = sent
    const fields = [...event === undefined ? [] : [`event: ${event}\n`], ...id === undefined ? [] : [`id: ${id}\n`]]
    events += `${fields.join('')}data: ${data}\n\n`
  })
  return (text) => {
    events = ''
    read(text)
    return events
  }
}

// A comment may stand within an event; it comes behind it then.
function eventsOfComments (type: string): Translate {
  let text = ''
  let held = ''
  let isWithin = false
  const read = lineReader((line) => {
    if (line.startsWith(':')) {
      held += `event: ${type}\ndata: ${line.slice(1)}\n\n`
    } else {
      text += `${line}\n`
      isWithin = line !== ''
    }
    if (isWithin) return
    text += held
    held = ''
  })
  return (chunk) => {
    text = ''
    read(chunk)
    return text
  }
}

/**
 * @param beatEvery ms of silence that are filled; 0: none are
 * @param last what is put behind all that came
 */
function answerOf (body: ReadableStream<Uint8Array>, translate: Translate, beatEvery: number, last: string): Response {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const translated = new ReadableStream<Uint8Array>({
    async pull (controller) {
      const beats = beatEvery > 0 ? setInterval(() => { controller.enqueue(encoder.encode(BEAT)) }, beatEvery) : undefined
      try {
        const { done, value } = await reader.read()   // rejects when the attempt is given up
        controller.enqueue(encoder.encode(translate(done ? last : decoder.decode(value, { stream: true }))))
        if (done) controller.close()
      } finally {
        clearInterval(beats)
      }
    }
  })
  return new Response(translated, { headers: { 'content-type': EVENT_STREAM } })
}
