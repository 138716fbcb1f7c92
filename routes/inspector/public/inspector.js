/** The page: hears what the server sees, and shows it. */
import { Chart, paintBars, paintLine, Spark } from './chart.js'
import { refreshConnection, showConnection } from './connection.js'
import { element, write } from './element.js'
import { Points } from './points.js'
import { openStream } from './stream.js'
import { Table } from './table.js'
import { tabs } from './tabs.js'
import { refreshTopic, showTopic } from './topic.js'
import { bytes, clock, duration, ms, plural, rate, whole } from './words.js'

const REASONS = ['client', 'server', 'shutdown', 'expired', 'timeout', 'overflow', 'error']
const STATES = { connecting: 'Connecting…', live: 'Live', reconnecting: 'Reconnecting…', paused: 'Paused', refused: 'Not allowed any more' }
const HINTS = {
  client: 'they left',
  server: 'the app closed',
  shutdown: 'the server closed',
  expired: 'too old, or no right any more',
  timeout: 'took nothing for too long',
  overflow: 'too slow',
  error: 'something failed'
}

const $ = (selector) => document.querySelector(selector)
const points = new Points()
const sparks = ['open', 'events', 'published', 'queued', 'heartbeats'].map((id) => ({ id, spark: new Spark(document.getElementById(id)) }))
const closes = new Chart($('#closes'), (bucket) => told(REASONS.filter((reason) => bucket[reason] > 0).map((reason) => `${bucket[reason]} ${reason}`), 'none'))
const delay = new Chart($('#delay'), ({ worst, delay }) => `${ms(worst)} at worst, ${ms(delay)} as a rule`)
let run = null
let heartbeat = 0
let startedAt = 0
let shown = 'connections-tab'

const connections = new Table($('#connections'), {
  path: 'connections',
  label: 'Connections. Enter shows one from near.',
  idOf: ({ id }) => id,
  sort: { name: 'age', isDescending: true },
  onOpen: showConnection,
  onFound: (found, total) => { showFound('connections-tab', found, total) },
  columns: [
    { name: 'route', title: 'Route', width: 'minmax(8rem, 1.4fr)', text: ({ route }) => route },
    { name: 'name', title: 'Name', width: 'minmax(5rem, 0.8fr)', text: ({ name }) => name ?? '' },
    { name: 'id', title: 'Id', width: 'minmax(5rem, 0.7fr)', text: ({ id }) => id, look: () => 'code' },
    { name: 'transport', title: 'Transport', width: '5.2rem', text: ({ transport }) => transport },
    { name: 'phase', title: 'Phase', width: '3.8rem', text: ({ phase }) => phase, look: ({ phase }) => phase },
    { name: 'age', title: 'Age', isNumber: true, width: '5.2rem', text: ({ age }) => duration(age) },
    { name: 'events', title: 'Events', isNumber: true, width: '4rem', text: ({ events }) => whole(events) },
    { name: 'bytes', title: 'Sent', isNumber: true, width: '4.4rem', text: ({ bytes: sent }) => bytes(sent) },
    { name: 'rate', title: 'Rate', isNumber: true, width: '5rem', text: ({ rate }) => rate < 0.5 ? '·' : `${bytes(rate)}/s` },
    { name: 'queued', title: 'Waiting', hint: 'Bytes that the client has not taken', isNumber: true, width: '4.6rem', text: ({ queued }) => queued === 0 ? '·' : bytes(queued), look: ({ queued }) => queued > 0 ? 'warm' : 'calm' },
    { name: 'behind', title: 'Behind', hint: 'For how long it has not had everything', isNumber: true, width: '4.4rem', text: ({ behind }) => behind < 250 ? '·' : ms(behind), look: ({ behind }) => behind < 250 ? 'calm' : 'hot' },
    { name: 'topics', title: 'Topics', width: 'minmax(7rem, 1.3fr)', text: ({ topics, topicCount }) => topics.join(', ') + (topicCount > topics.length ? ` and ${whole(topicCount - topics.length)} more` : '') }
  ]
})

const topics = new Table($('#topics'), {
  path: 'topics',
  label: 'Topics. Enter shows one as it comes.',
  idOf: ({ topic }) => topic,
  sort: { name: 'subscribers', isDescending: true },
  onOpen: showTopic,
  onFound: (found, total) => { showFound('topics-tab', found, total) },
  columns: [
    { name: 'name', title: 'Topic', width: 'minmax(12rem, 3fr)', text: ({ name }) => name, look: ({ isPublic }) => isPublic ? 'plain' : 'produced' },
    { name: 'subscribers', title: 'Subscribers', isNumber: true, width: 'minmax(7rem, 1fr)', text: ({ subscribers }) => whole(subscribers) },
    { name: 'rate', title: 'Rate', isNumber: true, width: 'minmax(10rem, 1fr)', text: ({ rate: events, byteRate }) => events < 0.05 ? '·' : `${rate(events)} / s, ${bytes(byteRate)} / s` },
    { name: 'retained', title: 'Retained', hint: 'Events in this process’s memory', isNumber: true, width: 'minmax(7rem, 1fr)', text: ({ retained }) => retained === null ? 'unknown' : whole(retained) }
  ]
})

openStream('look', {
  hello (greeting) {
    if (run !== null && greeting.run !== run) notice(`The server was restarted at ${clock(greeting.startedAt)}: its connections are new.`, greeting.startedAt)
    run = greeting.run
    heartbeat = greeting.heartbeat
    startedAt = greeting.startedAt
    points.add(greeting.points)
  },
  look (seen) {
    points.add([seen.point])
    show(seen)
    currentTable().refresh()
    void refreshConnection()
    void refreshTopic()
  }
}, (state) => {
  document.documentElement.dataset.state = state
  write($('.state-word'), STATES[state])
})

const list = $('.tabs')
const input = $('.search input')
write($('.host'), location.host)

tabs(list, (id) => {
  shown = id
  currentTable().search(input.value)
  currentTable().refresh()
})
input.addEventListener('input', () => { currentTable().search(input.value) })
input.addEventListener('keydown', ({ key }) => { if (key === 'ArrowDown') currentTable().focus() })
addEventListener('keydown', (event) => {
  const isTyped = event.target.closest('input, textarea, dialog') !== null
  if (event.key !== '/' || isTyped || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  input.select()
})
$('.chips').addEventListener('click', ({ target }) => {
  const chip = target.closest('button')
  if (chip === null) return
  input.value = input.value === chip.dataset.word ? '' : chip.dataset.word
  currentTable().search(input.value)
  showChips()
})
input.addEventListener('input', showChips)

function currentTable () {
  return shown === 'topics-tab' ? topics : connections
}

function show ({ point, transports, routes, closed, topics: topicCount, log }) {
  const { open, opened, events, bytes: sent, published, queued, behind, heartbeats, delay: usual, worst } = point
  write($('.since'), `up for ${duration(point.at - startedAt)}`)
  fill('open', whole(open), opened === 0 ? '' : `+${whole(opened)}`)
  fill('events', rate(events), `${bytes(sent)} / s`)
  fill('published', rate(published), log.events === null ? '' : `${bytes(log.bytes)} retained`)
  fill('queued', bytes(queued), behind === 0 ? 'nobody is behind' : `${whole(behind)} behind`)
  fill('heartbeats', rate(heartbeats), heartbeat === 0 ? 'off' : `after ${duration(heartbeat)} of silence`)
  for (const { id, spark } of sparks) spark.draw(points, id)

  closes.draw(points, sumOf, (svg, buckets, scale) => { paintBars(svg, buckets, scale, REASONS) },
    { least: 4, greatest: (bucket) => REASONS.reduce((sum, reason) => sum + bucket[reason], 0), say: whole })
  delay.draw(points, worstOf, (svg, buckets, scale) => {
    paintLine(svg, buckets, scale, 'worst', true)
    paintLine(svg, buckets, scale, 'delay', false)
  }, { least: 10, greatest: ({ worst }) => worst, say: (value) => `${whole(value)} ms` })
  write($('#delay .worst'), ms(worst))
  write($('#delay .usual'), ms(usual))
  showLegend(closed)
  setChips([...Object.entries(transports), ...routes])
  write($('#connections-tab .count'), whole(open))
  write($('#topics-tab .count'), whole(topicCount))
  write($('.log'), `The log is at ${log.position}${log.events === null ? '' : `, with ${plural(log.events, 'event', 'events')} in this process’s memory`}.`)
}

function fill (id, value, side) {
  const tile = document.getElementById(id)
  write(tile.querySelector('.value'), value)
  write(tile.querySelector('.side'), side)
}

function sumOf (inside) {
  return Object.fromEntries(REASONS.map((reason) => [reason, inside.reduce((sum, { closed }) => sum + closed[reason], 0)]))
}

function worstOf (inside) {
  return { worst: Math.max(...inside.map(({ worst }) => worst)), delay: Math.max(...inside.map(({ delay }) => delay)) }
}

function showLegend (closed) {
  const legend = $('#closes .legend')
  if (legend.children.length === 0) {
    legend.append(...REASONS.map((reason) => element('li', { 'data-line': reason, title: HINTS[reason] }, element('i'), `${reason} `, element('b'))))
  }
  REASONS.forEach((reason, i) => { write(legend.children[i].lastChild, whole(closed[reason])) })
}

function setChips (words) {
  const chips = $('.chips')
  const known = new Map([...chips.children].map((chip) => [chip.dataset.word, chip]))
  const wanted = words.map(([word, count]) => {
    const chip = known.get(word) ?? element('button', { type: 'button', 'data-word': word, 'aria-pressed': false }, `${word} `, element('b'))
    write(chip.lastChild, whole(count))
    return chip
  })
  const isSame = wanted.length === chips.children.length && wanted.every((chip, i) => chips.children[i] === chip)
  if (!isSame && !chips.contains(document.activeElement)) chips.replaceChildren(...wanted)
  showChips()
}

function showChips () {
  for (const chip of $('.chips').children) chip.setAttribute('aria-pressed', chip.dataset.word === input.value)
}

function showFound (tab, found, total) {
  if (tab === shown) write($('.found'), input.value === '' ? '' : `${whole(found)} of ${whole(total)}`)
}

function notice (text, at) {
  points.restarts.push(at)
  write($('.notice'), text)
}

function told (parts, nothing) {
  return parts.length === 0 ? nothing : parts.join(', ')
}
