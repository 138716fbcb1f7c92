/** The lobby: Phoenix's own client, its presence, and what is said. */
import { LongPoll, Presence, Socket } from '/phoenix/phoenix.mjs'
import { showState } from '/state.js'

const HUES = ['peach', 'mint', 'lilac', 'sky', 'butter', 'rose', 'lagoon', 'iris']
const NAMES = ['Apricot', 'Pistachio', 'Lavender', 'Cornflower', 'Mustard', 'Peony', 'Teal', 'Plum']

const door = document.querySelector('.door')
const name = document.querySelector('#name')
const say = document.querySelector('.say')
const body = document.querySelector('#body')
const messages = document.querySelector('.messages')
const people = document.querySelector('.people')
const pulse = document.querySelector('.pulse')
const news = document.querySelector('#news')
const template = document.querySelector('#message')

const isPolling = new URLSearchParams(location.search).get('over') === 'longpoll'
const socket = new Socket('/socket', { ...isPolling && { transport: LongPoll }, reconnectAfterMs: () => 1_000, rejoinAfterMs: () => 1_000 })
let channel = null
let pings = 0

if (isPolling) {
  const over = document.querySelector('#over')
  over.href = '/'
  over.textContent = 'WebSocket'
}
socket.onOpen(() => { if (channel === null) showState('live') })
socket.onClose(() => { showState('reconnecting') })
socket.onError(() => { showState('reconnecting') })
socket.connect()

name.value = sessionStorage.getItem('name') ?? NAMES[Math.floor(Math.random() * NAMES.length)]
if (sessionStorage.getItem('name') !== null) enter(name.value)
else name.select()

door.addEventListener('submit', (event) => {
  event.preventDefault()
  enter(name.value.trim())
})
say.addEventListener('submit', (event) => {
  event.preventDefault()
  const text = body.value
  body.value = ''
  const giveBack = () => {
    if (body.value === '') body.value = text
    news.textContent = 'That did not get through.'
  }
  channel.push('new:msg', { user: name.value, body: text }).receive('error', giveBack).receive('timeout', giveBack)
})
document.querySelector('#cut').addEventListener('click', () => { void fetch('/cut', { method: 'POST' }) })

function enter (user) {
  channel = socket.channel('rooms:lobby', { user })
  const presence = new Presence(channel)
  presence.onSync(() => { showPeople(presence.list((person) => person)) })
  // Who has the page open twice is still here.
  presence.onLeave((person, { metas }) => { if (metas.length === 0) note(`${person} left`) })
  channel.on('user:entered', ({ user }) => { note(`${user} came in`) })
  channel.on('new:msg', ({ user, body }) => {
    if (user === 'SYSTEM') beat(body)
    else show(user, body, user === name.value.trim())
  })
  channel.onError(() => { showState('reconnecting') })
  channel.join()
    .receive('ok', () => {
      showState('live')
      sessionStorage.setItem('name', user)
      document.body.classList.add('is-in')
      if (matchMedia('(hover: hover)').matches) body.focus({ preventScroll: true })   // on a phone the keyboard would cover the page
    })
    .receive('error', ({ reason }) => { refuse(reason) })
}

function refuse (reason) {
  channel.leave()   // else the client tries again by itself
  channel = null
  news.textContent = reason === 'reserved' ? 'That is the name of the system. Take another one.' : 'You need a name to come in.'
  name.select()
}

function showPeople (present) {
  people.replaceChildren(...present.map((person) => {
    const item = document.createElement('li')
    item.className = 'person'
    item.dataset.hue = hueOf(person)
    item.textContent = person
    return item
  }))
}

function show (user, text, isMine) {
  const item = template.content.firstElementChild.cloneNode(true)
  item.dataset.hue = hueOf(user)
  item.classList.toggle('mine', isMine)
  item.querySelector('.user').textContent = user
  item.querySelector('.body').textContent = text
  add(item)
}

function note (text) {
  const item = document.createElement('li')
  item.className = 'note'
  item.textContent = text
  add(item)
}

function add (item) {
  const { scrollHeight } = document.documentElement
  const isAtEnd = scrollHeight - scrollY - innerHeight < 80
  messages.append(item)
  if (isAtEnd) scrollTo(0, document.documentElement.scrollHeight)
}

// The system's pings: one line that counts, and does not push what was said away.
function beat (text) {
  pulse.dataset.pings = ++pings
  pulse.textContent = `SYSTEM: ${text} (${pings})`
}

// The same for everybody, on every page.
function hueOf (user) {
  let sum = 0
  for (const character of user) sum = (sum * 31 + character.codePointAt(0)) >>> 0
  return HUES[sum % HUES.length]
}
