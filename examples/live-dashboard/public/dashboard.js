/** The dashboard: hears two topics on one connection, and shows each point of them, or that it is missing. */
import { showState } from '/state.js'
import { openStream } from '/stream.js'
import { Card } from './card.js'
import { Ledger } from './ledger.js'
import { KEPT, Series } from './series.js'
import { whole } from './words.js'

const MIB = 2 ** 20
const CARDS = {
  cpu: { topic: 'process', least: 10, values: [({ cpu }) => cpu] },
  memory: { topic: 'process', least: 40, write: whole, values: [({ rss }) => rss / MIB, ({ heap }) => heap / MIB] },
  delay: { topic: 'process', least: 4, values: [({ worst }) => worst, ({ delay }) => delay] },
  open: { topic: 'connections', least: 4, write: whole, isStepped: true, values: [({ open }) => open] },
  events: { topic: 'connections', least: 10, values: [({ events }) => events] }
}
// Points come four times a second. After so long without one, ms, the charts move on with the clock.
const SILENCE = 500

export const series = { process: new Series(), connections: new Series() }
const ledger = new Ledger(document.querySelector('.ledger'), series)
const cards = Object.entries(CARDS).map(([id, { topic, ...options }]) => new Card(document.getElementById(id), series[topic], options, look))
export const charts = cards.map(({ chart }) => chart)

let state = 'connecting'
// How much this clock is ahead of the server's, at most; ms.
let ahead = Infinity
let resumedAt = -Infinity
let cuts = 0
let late = 0
// What is looked at; null: what is newest.
let time = null
let isDue = false

openStream('/figures', {
  process: (point) => { take('process', point) },
  connections: (point) => { take('connections', point) },
  gap (gap) {
    for (const one of Object.values(series)) one.announce(gap)
    draw()
  }
}, (now) => {
  if (now === 'live' && state === 'reconnecting') {
    cuts++
    resumedAt = serverTime()
  }
  state = now
  showState(state)
  draw()
})

document.querySelector('.cut').addEventListener('click', () => { fetch('/cut', { method: 'POST' }).catch(() => {}) })
// While nothing comes, time goes on.
setInterval(draw, 250)
document.fonts.ready.then(draw)

function take (topic, point) {
  ahead = Math.min(ahead, Date.now() - point.at)
  if (point.at < resumedAt) late++
  series[topic].add(point)
  draw()
}

function serverTime () {
  return Date.now() - ahead
}

// As often as the screen shows it, and no more.
function draw () {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    const newest = Math.max(...Object.values(series).map(({ last }) => last?.at ?? -Infinity))
    const edge = newest === -Infinity ? Date.now() : Math.max(newest, serverTime() - SILENCE)
    if (time !== null && time < edge - KEPT) time = null
    for (const card of cards) card.draw({ edge, isAway: state !== 'live', time })
    ledger.write(cuts, late)
  })
}

function look (at) {
  time = at
  draw()
}
