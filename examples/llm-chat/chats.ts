/** The page's conversations: turns of a question and its answer, as far as it has come. Kept in memory, the newest. */
import { randomBytes } from 'node:crypto'
import type { Message } from './model.ts'

export type TurnState = 'writing' | 'done' | 'stopped' | 'failed'

export interface Turn {
  readonly id: string
  readonly question: string
  answer: string
  state: TurnState
}

export interface Chat { readonly id: string, readonly turns: Turn[] }

/** A turn, and where it is. */
export interface Place { readonly chat: Chat, readonly turn: Turn }

const MAX_CHATS = 1_000
const MAX_TURNS = 100

export class Chats {
  readonly #chats = new Map<string, Chat>()
  readonly #places = new Map<string, Place>()

  turnsOf (id: string): readonly Turn[] {
    return this.#chats.get(id)?.turns ?? []
  }

  find (turn: string): Place | undefined {
    return this.#places.get(turn)
  }

  /** Null if there is no room for more in this chat. */
  ask (id: string, question: string): Place | null {
    const chat = this.#chats.get(id) ?? { id, turns: [] }
    if (chat.turns.length === MAX_TURNS) return null
    // Named by nobody but this server, so that nobody finds an answer by guessing.
    const turn: Turn = { id: randomBytes(12).toString('base64url'), question, answer: '', state: 'writing' }
    chat.turns.push(turn)
    const place = { chat, turn }
    this.#places.set(turn.id, place)
    this.#keep(chat)
    return place
  }

  // Who was asked last is forgotten last.
  #keep (chat: Chat): void {
    this.#chats.delete(chat.id)
    this.#chats.set(chat.id, chat)
    if (this.#chats.size <= MAX_CHATS) return
    const [oldest] = this.#chats.values()
    this.#chats.delete((oldest as Chat).id)
    for (const { id } of (oldest as Chat).turns) this.#places.delete(id)
  }
}

/** What was said up to this turn, its question last. */
export function conversation ({ chat, turn }: Place): Message[] {
  const before = chat.turns.slice(0, chat.turns.indexOf(turn))
  return [
    ...before.flatMap(({ question, answer }) => [{ role: 'user', content: question }, { role: 'assistant', content: answer }]),
    { role: 'user', content: turn.question }
  ]
}
