/** The remote: knows which connections show the deck, and sends them a turn. */
import { deck, replay, sendTurn } from './page.js'
import { showState } from '/state.js'
import { openStream } from '/stream.js'
import { BACK, listenForTurns, NEXT } from './turns.js'

const back = document.querySelector('.back')
const next = document.querySelector('.next')
const news = document.querySelector('#news')
const name = document.querySelector('#name')
let state = 'connecting'
let presenters = []

openStream(`/remote?${deck}`, {
  handshake (me) {
    document.documentElement.style.setProperty('--hue', me.hue)
    name.textContent = me.name
    document.title = `${me.name} · Pastelli remote`
  },
  // One, usually; none while its page reloads; two when the deck is open in two windows, and then both turn.
  presenters (ids) {
    presenters = ids
    refresh()
  },
  // The presenter looks for this phone.
  turn () {
    replay(document.body, 'found')
    navigator.vibrate?.([60, 60, 60])
    news.textContent = 'The presenter found you'
  }
}, (now) => {
  state = now
  // Ids end with their connections: what was known before is of no use.
  if (state !== 'live') presenters = []
  showState(state)
  refresh()
})

listenForTurns(document.querySelector('.pad'), turn)
back.addEventListener('click', () => { void turn(BACK) })
next.addEventListener('click', () => { void turn(NEXT) })

async function turn (which) {
  if (presenters.length === 0) return
  const key = which === NEXT ? next : back
  replay(key, 'pressed')
  const sent = await Promise.all(presenters.map((id) => sendTurn(id, which)))
  if (!sent.includes(true)) {
    news.textContent = 'That did not get through. Press again'
    return
  }
  replay(key, 'sent')
  navigator.vibrate?.(12)
  news.textContent = which === NEXT ? 'Next slide' : 'Previous slide'
}

function refresh () {
  const ready = presenters.length > 0
  document.documentElement.dataset.ready = ready
  for (const key of [back, next]) key.setAttribute('aria-disabled', !ready)
  if (ready) news.textContent = 'Tap, swipe, or use the arrow keys'
  else if (state === 'live') news.textContent = 'No deck is open. When one is, this remote finds it'
  else news.textContent = state === 'connecting' ? 'Looking for the deck' : 'The server is away. This remote comes back by itself'
}
