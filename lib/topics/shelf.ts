/** What those who are behind get next, built once for all who are at the same place: the last few pieces of it. */
import type { Frame } from '../wire/frame.ts'

export interface Piece {
  /** Of the groups that it is for. */
  readonly key: string
  /** It holds everything for them behind this offset, and up to `through`. */
  readonly after: number
  readonly through: number
  readonly frame: Frame
  readonly events: number
}

// Of about 64 KiB each: what the memory log retains by default. With fewer, one client that reads from one end to the other
// leaves nothing for the next.
const PIECES = 64

export class Shelf {
  // The one that was used last comes first.
  readonly #pieces: Piece[] = []

  /** What follows this place. */
  take (key: string, after: number): Piece | null {
    const index = this.#pieces.findIndex((piece) => piece.after === after && piece.key === key)
    if (index === -1) return null
    const piece = this.#pieces[index] as Piece
    this.#pieces.copyWithin(1, 0, index)
    this.#pieces[0] = piece
    return piece
  }

  /** Where a piece ends that begins before this place: whoever reads up to there can take what follows. Null if there is none. */
  meeting (key: string, after: number): number | null {
    return this.#pieces.find((piece) => piece.after < after && after < piece.through && piece.key === key)?.through ?? null
  }

  keep (piece: Piece): void {
    this.#pieces.unshift(piece)
    this.#pieces.length = Math.min(this.#pieces.length, PIECES)
  }

  /** The log is another one. */
  clear (): void {
    this.#pieces.length = 0
  }
}
