/** The deck: shows one slide at a time, turns when it is told to, and knows who holds a remote. */
import { deck, replay, sendTurn } from './page.js'
import { showState } from '/state.js'
import { openStream } from '/stream.js'
import { BACK, listenForTurns, NEXT } from './turns.js'

const slides = [...document.querySelectorAll('.slide')]
const marks = [...document.querySelectorAll('.progress a')]
const back = document.querySelector('.back')
const next = document.querySelector('.next')
const chips = document.querySelector('.remotes')
const chipTemplate = document.querySelector('#chip')
const news = document.querySelector('#news')
const dialog = document.querySelector('dialog')
const remotes = new Map()

openStream(`/connections?${deck}`, {
  // After a restart everybody has another id, so that this is always the whole truth.
  handshake ({ link, remotes: present }) {
    invite(link)
    remotes.clear()
    chips.replaceChildren()
    for (const remote of present) add(remote)
    count()
  },
  join (remote) {
    add(remote)
    count()
    news.textContent = `${remote.name} joined`
    if (dialog.open) dialog.close()
  },
  leave ({ id }) {
    const remote = remotes.get(id)
    if (remote === undefined) return
    remotes.delete(id)
    remote.chip.remove()
    count()
    news.textContent = `${remote.name} left`
  },
  turn ({ which }) { turn(which) }
}, showState)

listenForTurns(document.querySelector('.deck'), turn)
back.addEventListener('click', () => { turn(BACK) })
next.addEventListener('click', () => { turn(NEXT) })
document.querySelector('.pair').addEventListener('click', () => { dialog.showModal() })
dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close() })
// The slide is in the address: it survives a reload.
addEventListener('hashchange', () => { show(current()) })
show(current())

function current () {
  const index = slides.findIndex(({ id }) => `#${id}` === location.hash)
  return index === -1 ? 0 : index
}

function turn (which) {
  const from = current()
  const to = Math.min(Math.max(which === NEXT ? from + 1 : from - 1, 0), slides.length - 1)
  if (to === from) {
    // Nothing lies beyond, but the press was felt.
    replay(slides[from], which === NEXT ? 'nudge-next' : 'nudge-back')
    return
  }
  history.replaceState(null, '', `#${slides[to].id}`)
  show(to)
}

function show (index) {
  slides.forEach((slide, i) => {
    slide.dataset.place = i === index ? 'here' : i < index ? 'before' : 'after'
    slide.inert = i !== index
  })
  marks.forEach((mark, i) => {
    if (i === index) mark.setAttribute('aria-current', 'true')
    else mark.removeAttribute('aria-current')
  })
  // Not `disabled`: that would throw the focus away.
  back.setAttribute('aria-disabled', index === 0)
  next.setAttribute('aria-disabled', index === slides.length - 1)
  document.documentElement.dataset.hue = slides[index].dataset.hue
  document.querySelector('#slide-news').textContent = slides[index].getAttribute('aria-label')
}

// The code is for phones, and holds an address of this machine that they can reach; a window here needs no other host.
function invite (link) {
  const { pathname } = new URL(link)
  for (const a of document.querySelectorAll('.invitation-link')) a.href = pathname
  for (const img of document.querySelectorAll('.qr')) {
    img.src = `${pathname}.svg`
    img.alt = `QR code: ${link}`
  }
}

function add ({ id, name, hue }) {
  const chip = chipTemplate.content.cloneNode(true).firstElementChild
  const button = chip.querySelector('button')
  button.style.setProperty('--hue', hue)
  button.querySelector('.chip-name').textContent = name
  button.title = `Find ${name}: that remote blinks, and no other`
  // The same turn, the other way: what has an id can be told.
  button.addEventListener('click', () => { void sendTurn(id, NEXT) })
  remotes.set(id, { name, chip })
  chips.append(chip)
}

function count () {
  document.documentElement.dataset.remotes = remotes.size
  const names = new Intl.ListFormat('en').format([...remotes.values()].map(({ name }) => name))
  for (const place of document.querySelectorAll('.who')) {
    place.textContent = remotes.size === 0 ? 'No remote is connected' : `${names} ${remotes.size === 1 ? 'is' : 'are'} connected`
  }
}
