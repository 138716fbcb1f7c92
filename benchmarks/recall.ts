/** What many clients get is parsed once: a program of clients shall be able to read more than a server can send. */

const REMEMBERED = 8

export class Recall<Parsed> {
  readonly #parse: (text: string) => Parsed
  readonly #remembered: Array<{ bytes: Buffer, parsed: Parsed }> = []

  constructor (parse: (text: string) => Parsed) {
    this.#parse = parse
  }

  /** @param bytes are copied: they may be overwritten afterwards */
  read (bytes: Buffer): Parsed {
    const known = this.#remembered.find((entry) => entry.bytes.equals(bytes))
    if (known !== undefined) return known.parsed
    const parsed = this.#parse(bytes.toString('latin1'))
    this.#remembered.unshift({ bytes: Buffer.from(bytes), parsed })
    this.#remembered.length = Math.min(this.#remembered.length, REMEMBERED)
    return parsed
  }
}
