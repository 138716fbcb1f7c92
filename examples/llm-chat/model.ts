/** A language model, as far as a demo needs one: a conversation in, tokens out, one after the other. */
import { setTimeout as delay } from 'node:timers/promises'
import { compose } from './prose.ts'

export interface Message { role: string, content: string }

export interface Model {
  readonly name: string
  /** Token by token, as they come to its mind, until it has said all or the signal aborts. */
  answer: (messages: readonly Message[], signal: AbortSignal) => AsyncIterable<string>
}

// At the end of a sentence it draws breath.
const BREATH = 6

/** No network and no key: what it says depends on the conversation and on nothing else. */
export function crayon ({ pace = 45 }: { /** From token to token, ms. */ pace?: number } = {}): Model {
  return {
    name: 'crayon-1',
    async * answer (messages, signal) {
      for (const token of tokenize(compose(messages))) {
        await delay(/[.?!]$/.test(token) ? pace * BREATH : pace, undefined, { signal })
        yield token
      }
    }
  }
}

/** Words with the space before them, long ones in pieces, as tokens are; joined they are the text. */
export function tokenize (text: string): string[] {
  return text.match(/\s*[\p{L}\p{N}’'-]{1,7}|\s*[^\s\p{L}\p{N}]|\s+/gu) ?? []
}
