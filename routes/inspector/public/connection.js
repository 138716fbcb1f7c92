/** One connection, looked at from near; it can be closed here. */
import { element, write } from './element.js'
import { get, post } from './server.js'
import { bytes, duration, moment, ms, plural, whole } from './words.js'

const dialog = document.getElementById('connection-dialog')
const title = dialog.querySelector('h2')
const detail = dialog.querySelector('.detail')
const subscriptions = dialog.querySelector('.subscriptions')
const outcome = dialog.querySelector('.outcome')
const buttons = [...dialog.querySelectorAll('.act')]
let id = null
// What becomes of it has been said, or is about to be.
let isEnding = false

dialog.querySelector('.dismiss').addEventListener('click', () => { dialog.close() })
dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close() })
dialog.addEventListener('close', () => { id = null })
for (const button of buttons) button.addEventListener('click', () => { void end(button.dataset.cut === 'true') })

export function showConnection (row) {
  id = row.id
  isEnding = false
  write(title, row.id)
  write(outcome, '')
  subscriptions.replaceChildren()
  enable(true)
  fill({ ...row, topics: [] })
  dialog.showModal()
  void refreshConnection()
}

/** Its newest figures. */
export async function refreshConnection () {
  const asked = id
  if (asked === null) return
  try {
    const answer = await get('connection', { id: asked })
    if (asked === id && !isEnding) fill(answer)
  } catch ({ status }) {
    if (asked === id && !isEnding && status === 404) over('It has ended.')
  }
}

async function end (cut) {
  isEnding = true
  enable(false)
  write(outcome, cut ? 'Cutting it…' : 'Closing it…')
  try {
    await post('close', { id, cut })
    over(cut ? 'It was cut.' : 'It was closed.')
  } catch (error) {
    if (error.status === 404) over('It has ended.')
    else {
      isEnding = false
      write(outcome, error.message)
      enable(true)
    }
  }
}

// The focus must not be lost with a button that it was on.
function over (words) {
  isEnding = true
  write(outcome, words)
  enable(false)
  if (!dialog.contains(document.activeElement) || document.activeElement.disabled) dialog.querySelector('.dismiss').focus()
}

function enable (isOpen) {
  for (const button of buttons) button.disabled = !isOpen
}

function fill ({ name, route, transport, protocol, phase, openedAt, age, expiresAt, bytes: sent, events, queued, behind, lag, lastEventId, position, topics, topicCount }) {
  const facts = {
    Route: route,
    Name: name,
    Transport: protocol ? `${transport}, ${protocol}` : transport,
    Phase: phase,
    Opened: `${moment(openedAt)}, ${duration(age)} ago`,
    Expires: expiresAt == null ? null : moment(expiresAt),
    Sent: `${bytes(sent)}, ${plural(events, 'event', 'events')}`,
    'Waiting for it': bytes(queued),
    Behind: behind === 0 ? 'no' : `${ms(behind)}; the log is ${plural(lag, 'event', 'events')} ahead`,
    'Came back at': lastEventId,
    Position: position
  }
  const known = Object.entries(facts).filter(([, text]) => text != null)
  detail.replaceChildren(...known.map(([term, text]) => element('div', {}, element('dt', { text: term }), element('dd', { text }))))
  subscriptions.replaceChildren(...topics.map(({ topic, isFiltered }) => element('li', { text: isFiltered ? `${topic} (filtered)` : topic })))
  if (topicCount > topics.length) subscriptions.append(element('li', { class: 'more', text: `${whole(topicCount - topics.length)} more` }))
  if (topicCount === 0) subscriptions.append(element('li', { class: 'more', text: 'to nothing' }))
}
