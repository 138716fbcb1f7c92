/** What transports have in common that give bytes to a writable of Node's as they are. */
import type { Writable } from 'node:stream'
import type { SharedBytes } from '../wire/frame.ts'
import { LATER_SLACK } from './transport.ts'

export abstract class Written<Target extends Writable> {
  readonly slack = LATER_SLACK
  protected readonly target: Target
  #given = 0

  constructor (target: Target) {
    this.target = target
  }

  get queued (): number {
    return this.target.writableLength
  }

  get taken (): number {
    return this.#given - this.target.writableLength
  }

  writeText (text: string, size: number, written?: () => void): void {
    this.#given += size
    this.target.write(text, 'utf8', written)
  }

  writeBytes (bytes: Uint8Array, written?: () => void): void {
    this.#given += bytes.byteLength
    this.target.write(bytes, written)
  }

  writeFrame ({ bytes }: SharedBytes, written?: () => void): void {
    this.writeBytes(bytes, written)
  }
}
