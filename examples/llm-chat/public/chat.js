/** The chat: its turns, from every tab that shows it, and what is asked here. */
import { showState } from '/state.js'
import { openStream } from '/stream.js'
import { Turn } from './answer.js'

const chat = location.pathname
const turns = new Map()
const list = document.querySelector('.turns')
const form = document.querySelector('.ask')
const question = document.querySelector('#question')
const news = document.querySelector('#news')
// Whether the page moves on with what is written.
let isAtEnd = true

openStream(`${chat}/turns`, {
  // All of them: what is not among them is gone.
  turns (all) {
    for (const turn of all) show(turn)
    const known = new Set(all.map(({ id }) => id))
    for (const turn of turns.values()) if (!known.has(turn.id)) turn.lose()
  },
  turn: show
}, showState)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void ask(question.value)
})
question.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  form.requestSubmit()
})
for (const idea of document.querySelectorAll('.idea')) idea.addEventListener('click', () => { void ask(idea.textContent) })
document.querySelector('.stop').addEventListener('click', stop)
addEventListener('keydown', ({ key }) => { if (key === 'Escape') stop() })
document.querySelector('#cut').addEventListener('click', () => { void fetch('/cut', { method: 'POST' }) })
addEventListener('scroll', () => {
  const { scrollHeight } = document.documentElement
  isAtEnd = scrollHeight - scrollY - innerHeight < 80
}, { passive: true })
if (matchMedia('(hover: hover)').matches) question.focus()   // on a phone the keyboard would cover the page

async function ask (text) {
  if (text.trim() === '' || document.documentElement.dataset.writing === 'true') return
  try {
    const response = await fetch(`${chat}/questions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
      signal: AbortSignal.timeout(5_000)
    })
    if (!response.ok) throw new Error((await response.json()).message)
    question.value = ''
    isAtEnd = true
    show(await response.json())
  } catch (error) {
    news.textContent = `That did not get through: ${error.message}`
  }
}

function stop () {
  for (const turn of turns.values()) if (turn.isWriting) turn.stop()
}

function show (known) {
  let turn = turns.get(known.id)
  if (turn === undefined) {
    turn = new Turn(known, turns.size, () => { follow(turn) })
    turns.set(known.id, turn)
    list.append(turn.element)
    document.body.classList.add('has-turns')
  }
  turn.update(known)
}

function follow (turn) {
  const isWriting = [...turns.values()].some((turn) => turn.isWriting)
  // Said once, when it is whole: token by token it could not be listened to.
  if (turn.element.dataset.state === 'done' && document.documentElement.dataset.writing === 'true') news.textContent = turn.text
  document.documentElement.dataset.writing = isWriting
  if (isAtEnd) scrollTo({ top: document.documentElement.scrollHeight })
}
