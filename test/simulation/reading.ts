/** What a server gives on a line, read as it is given: the answer's head, then events, positions and signs of life. */

export interface Seen {
  kind: 'event' | 'comment' | 'ping' | 'close'
  event: string | undefined
  id: string | undefined
  /** Undefined: it dispatches nothing. */
  data: string | undefined
  retry: number | undefined
  /** ms. */
  at: number
  /** How many bytes were given up to its end. */
  end: number
}

export type FormatName = 'event-stream' | 'ndjson' | 'websocket'

export class Reading {
  status = 0
  /** Whether the answer came to its proper end. */
  isComplete = false
  readonly seen: Seen[] = []
  readonly #format: FormatName
  readonly #now: () => number
  #waiting: Buffer = Buffer.alloc(0)
  #passed = 0
  #length: number | null = null
  // What belongs to no complete event yet.
  #text: Buffer = Buffer.alloc(0)

  constructor (format: FormatName, now: () => number) {
    this.#format = format
    this.#now = now
  }

  feed (bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes])
    while (this.#step());
  }

  // Answers whether there may be more.
  #step (): boolean {
    if (this.status === 0) return this.#readHead()
    if (this.#length !== null) {
      this.isComplete = this.#waiting.length >= this.#length
      return false
    }
    return this.status === 101 ? this.#readFrame() : this.#readChunk()
  }

  #readHead (): boolean {
    const end = this.#waiting.indexOf('\r\n\r\n')
    if (end === -1) return false
    const head = this.#take(end + 4).toString('latin1')
    this.status = Number(head.split(' ', 2)[1])
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    this.#length = length === undefined ? null : Number(length)
    return true
  }

  #readChunk (): boolean {
    const lineEnd = this.#waiting.indexOf('\r\n')
    if (lineEnd === -1) return false
    const size = parseInt(this.#waiting.toString('latin1', 0, lineEnd), 16)
    if (this.#waiting.length < lineEnd + size + 4) return false
    this.#take(lineEnd + 2)
    if (size === 0) this.isComplete = true
    else this.#readText(this.#take(size))
    this.#take(2)
    return true
  }

  #readText (bytes: Buffer): void {
    const before = this.#text.length
    const text = before === 0 ? bytes : Buffer.concat([this.#text, bytes])
    const mark = this.#format === 'ndjson' ? '\n' : '\n\n'
    let start = 0
    for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, start)) {
      const part = text.toString('utf8', start, at)
      start = at + mark.length
      this.#add(this.#format === 'ndjson' ? fieldsOfJson(part) : fieldsOfBlock(part), this.#passed - text.length + start)
    }
    this.#text = text.subarray(start)
  }

  #readFrame (): boolean {
    const bytes = this.#waiting
    if (bytes.length < 2) return false
    const [first = 0, short = 0] = bytes
    const start = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < start) return false
    const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < start + size) return false
    const payload = this.#take(start + size).subarray(start)
    const opcode = first & 15
    if (opcode === 1) this.#add(fieldsOfJson(payload.toString()), this.#passed)
    else if (opcode === 9) this.#add({ kind: 'ping' }, this.#passed)
    else if (opcode === 8) this.#add({ kind: 'close' }, this.#passed)
    return true
  }

  #take (size: number): Buffer {
    const bytes = this.#waiting.subarray(0, size)
    this.#waiting = this.#waiting.subarray(size)
    this.#passed += size
    return bytes
  }

  #add (fields: Partial<Seen>, end: number): void {
    this.seen.push({ kind: 'event', event: undefined, id: undefined, data: undefined, retry: undefined, ...fields, at: this.#now(), end })
  }
}

function fieldsOfBlock (block: string): Partial<Seen> {
  const fields: Partial<Seen> = { kind: 'comment' }
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^(\w*): ?(.*)$/.exec(line) ?? []
    if (name === 'retry') fields.retry = Number(value)
    else if (name === 'id' || name === 'event' || name === 'data') fields[name] = value
    if (name !== '') fields.kind = 'event'
  }
  return fields
}

function fieldsOfJson (text: string): Partial<Seen> {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) return { data: String(value) }
  const { data, ...fields } = value as Partial<Seen>
  return { ...fields, data: data === undefined || typeof data === 'string' ? data : JSON.stringify(data) }
}
