/** The page: hears the numbers of all nodes on one stream, from whichever node serves it, and checks that they are whole. */
import { showState } from '/state.js'
import { openStream } from '/stream.js'
import { Sequence } from './sequence.js'

const NAMES = ['peach', 'mint', 'lilac']
// Numbers that are shown, and what happened.
const SHOWN = 60
const MAX_STORY = 6
const DOING = { up: 'stands by', starting: 'starts again', down: 'dead, back in a moment' }

const numbers = document.querySelector('.numbers')
const verdict = document.querySelector('.verdict')
const story = document.querySelector('.story')
const thread = document.querySelector('.thread')
const sequence = new Sequence()
const cards = new Map(NAMES.map((name) => [name, makeCard(name)]))

let server = null
// Of the one that served before, if the page has lost it.
let lost = null
let roll = []

openStream('/beats', {
  served ({ by, roll: now }) {
    lost = server
    server = by
    if (now.length > 0) roll = now
    thread.style.setProperty('--column', NAMES.indexOf(by))
    thread.dataset.hue = by
    drawNodes()
  },
  nodes (now) {
    roll = now
    drawNodes()
  },
  beat ({ n, by }) {
    if (lost !== null) move(n)
    const isNew = sequence.add(n)
    verdict.dataset.is = sequence.verdict
    put(verdict, String(sequence))
    if (!isNew) return
    show(n, by)
    cards.get(by).published++
    drawNodes()
  },
  gap () {
    sequence.announce()
  }
}, (state) => {
  showState(state)
  drawNodes()
})

function makeCard (name) {
  const item = document.querySelector('#node').content.firstElementChild.cloneNode(true)
  item.dataset.hue = name
  item.querySelector('.name').textContent = titleOf(name)
  const button = item.querySelector('.kill')
  button.addEventListener('click', () => { fetch(`/nodes/${name}/kill`, { method: 'POST' }).catch(() => {}) })
  document.querySelector('.nodes').append(item)
  return { item, button, published: 0 }
}

function drawNodes () {
  const isLive = document.documentElement.dataset.state === 'live'
  for (const [name, { item, button, published }] of cards) {
    const { state = 'up', pid = null } = roll.find((node) => node.name === name) ?? {}
    const serves = isLive && name === server
    item.classList.toggle('serves', serves)
    item.classList.toggle('down', state !== 'up' && !serves)
    put(item.querySelector('.doing'), serves ? 'serves this page' : DOING[state])
    put(item.querySelector('.share'), `published ${published} of these${pid === null ? '' : `, process ${pid}`}`)
    put(button, serves ? 'Kill this node' : 'Kill it')
    button.setAttribute('aria-label', `Kill ${titleOf(name)}${serves ? ', which serves this page' : ''}`)
  }
}

// Another node goes on: at this number.
function move (n) {
  const text = lost === server ? `${titleOf(server)} is back, and went on with ${n}` : `${titleOf(lost)} was lost behind ${sequence.last ?? 'nothing'}, ${titleOf(server)} went on with ${n}`
  const line = document.createElement('li')
  line.dataset.hue = server
  line.textContent = text
  story.prepend(line)
  while (story.children.length > MAX_STORY) story.lastChild.remove()
  const mark = document.createElement('li')
  mark.className = 'cut'
  mark.dataset.hue = server
  mark.textContent = `↑ ${titleOf(server)}`
  prepend(mark)
  lost = null
}

function show (n, by) {
  const item = document.createElement('li')
  item.className = 'number'
  item.dataset.hue = by
  item.dataset.server = server
  const [number, line] = [document.createElement('b'), document.createElement('i')]
  number.textContent = n
  line.dataset.hue = server
  item.append(number, line)
  prepend(item)
}

function prepend (item) {
  numbers.prepend(item)
  while (numbers.children.length > SHOWN) numbers.lastChild.remove()
}

function put (element, text) {
  if (element.textContent !== text) element.textContent = text
}

function titleOf (name) {
  return name[0].toUpperCase() + name.slice(1)
}
