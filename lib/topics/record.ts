/** One event in a log. */
import { eventStream } from '../wire/event-stream.ts'
import type { Format, StoredEvent } from '../wire/format.ts'
import { formatPosition } from './position.ts'

/** What a publisher gives, checked and serialised. */
export interface Draft {
  topic: string
  /** As it is sent: text verbatim, everything else as JSON. */
  data: string
  /** Whether `data` is JSON of what was published. */
  json: boolean
  event?: string | undefined
  retry?: number | undefined
  /** The id or the name of the connections that do not get it. */
  except?: string | undefined
  /** The publisher's own: of two appends to one topic with the same key, the second changes nothing. */
  key?: string | undefined
  /** It is the first that a producer gave: nothing of its topic came before it. */
  begins?: true | undefined
  /** It is the end of the topic: connections that have everything close with this reason. Without data it is nothing else. */
  ends?: 'server' | 'error' | undefined
  /** Who wants to feed the topic from here on; empty: nobody does any more, and nothing has come of it. It is no event. */
  producer?: string | undefined
}

/** What is in the log for one published event. */
export class Record implements Readonly<Draft & StoredEvent> {
  readonly offset: number
  /** Its position, and the client's next `Last-Event-ID`. */
  readonly id: string
  readonly topic: string
  readonly data: string
  readonly json: boolean
  readonly event: string | undefined
  readonly retry: number | undefined
  readonly except: string | undefined
  readonly key: string | undefined
  readonly begins: true | undefined
  readonly ends: 'server' | 'error' | undefined
  readonly producer: string | undefined
  /** As an event stream has it. */
  readonly block: string
  /** Of the block, in bytes. */
  readonly size: number

  constructor (epoch: string, offset: number, { topic, data, json, event, retry, except, key, begins, ends, producer }: Draft) {
    this.offset = offset
    this.id = formatPosition(epoch, offset)
    this.topic = topic
    this.data = data
    this.json = json
    this.event = event
    this.retry = retry
    this.except = except
    this.key = key
    this.begins = begins
    this.ends = ends
    this.producer = producer
    const isNoEvent = producer !== undefined || (ends !== undefined && data === '' && event === undefined)
    this.block = isNoEvent ? '' : eventStream.encodeStored(this)
    this.size = Buffer.byteLength(this.block)
  }

  /** What it takes in memory, about: who appends from elsewhere may have put much into what is not sent. In bytes, or characters. */
  get weight (): number {
    const { block, size, topic, data, except = '', key = '' } = this
    return size + except.length + key.length + (block === '' ? topic.length + data.length : 0)
  }

  /** As this format has it. */
  as (format: Format): string {
    if (format === eventStream || this.block === '') return this.block
    const isUnsaid = this.ends === 'server' || (this.ends === 'error' && !format.hasTypes)
    return isUnsaid ? '' : format.encodeStored(this)
  }

  /** What was published. */
  get payload (): unknown {
    return this.json ? JSON.parse(this.data) : this.data
  }
}
