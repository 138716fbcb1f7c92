/** One turn on the page: a question, and its answer as it comes. */
import { openStream } from '/stream.js'

const HUES = ['peach', 'mint', 'lilac', 'sky', 'butter', 'rose', 'lagoon', 'iris']
const template = document.querySelector('#turn')

export class Turn {
  /** @readonly */
  element
  #id
  #text
  #note
  #close = null
  #tokens = 0
  #changed

  /**
   * @param {{ id: string, question: string }} turn
   * @param {number} number from 0
   * @param {() => void} changed is called whenever it has grown, or has ended
   */
  constructor ({ id, question }, number, changed) {
    this.#id = id
    this.#changed = changed
    this.element = template.content.firstElementChild.cloneNode(true)
    this.element.dataset.hue = HUES[number % HUES.length]
    this.element.querySelector('.question').textContent = question
    this.#text = this.element.querySelector('.text')
    this.#note = this.element.querySelector('.note')
  }

  get id () {
    return this.#id
  }

  get isWriting () {
    return this.element.dataset.state === 'writing'
  }

  get text () {
    return this.#text.textContent
  }

  /** What the server knows of it: while it is written, its tokens say more. */
  update ({ state, answer }) {
    if (state === 'writing') {
      if (this.element.dataset.state === undefined) this.#follow()
      return
    }
    if (this.isWriting && state === 'done') return   // the rest is on its way, and then the end
    this.#text.textContent = answer
    this.#end(state)
  }

  /** Nobody writes it any more. */
  lose () {
    if (this.isWriting) this.#end('lost')
  }

  stop () {
    void fetch(`/answers/${this.#id}`, { method: 'DELETE' })
  }

  // From its first token, wherever it is now; whatever cuts the line, the stream goes on behind the last one.
  #follow () {
    this.#show('writing')
    this.#close = openStream(`/answers/${this.#id}`, {
      message: ({ token }) => {
        this.#tokens++
        this.#text.append(token)
        this.#show('writing')
      },
      // Of another life of the server: it starts anew.
      gap: () => {
        this.#tokens = 0
        this.#text.textContent = ''
      },
      end: ({ state }) => { this.#end(state) }
    }, (state) => { this.element.classList.toggle('away', state !== 'live') })
  }

  #end (state) {
    this.#close?.()
    this.#close = null
    this.#show(state)
  }

  #show (state) {
    this.element.dataset.state = state
    this.element.dataset.tokens = this.#tokens
    this.element.querySelector('.answer').setAttribute('aria-busy', state === 'writing')
    this.#note.textContent = NOTES[state](this.#tokens)
    this.#changed()
  }
}

const count = (tokens) => tokens === 0 ? '' : `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`

const NOTES = {
  writing: count,
  done: count,
  stopped: () => 'Stopped',
  failed: () => 'The crayon broke. Ask again',
  lost: () => 'The server has been restarted, and forgot this. Ask again'
}
