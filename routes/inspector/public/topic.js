/** One topic, watched as it comes; a test event can be published on it. */
import { element, write } from './element.js'
import { get, post } from './server.js'
import { bytes, clock, plural, rate } from './words.js'

// So many are kept on the page.
const KEPT = 200

const dialog = document.getElementById('topic-dialog')
const title = dialog.querySelector('h2')
const audience = dialog.querySelector('.audience')
const watched = dialog.querySelector('.watched')
const form = dialog.querySelector('form')
const warning = dialog.querySelector('.warning')
const outcome = dialog.querySelector('.outcome')
const { event: type, data, json } = form.elements
let shown = null
let source = null

dialog.querySelector('.dismiss').addEventListener('click', () => { dialog.close() })
dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close() })
dialog.addEventListener('close', () => {
  shown = null
  source.close()
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  void publish()
})

export function showTopic (row) {
  shown = row
  write(title, row.name)
  write(outcome, '')
  watched.replaceChildren(note('Nothing yet. What is published from now on comes here.'))
  form.hidden = !row.isPublic
  describe(row)
  source = new EventSource(`watch?${new URLSearchParams({ topic: row.topic })}`)
  source.addEventListener('published', ({ data }) => { add(JSON.parse(data)) })
  dialog.showModal()
}

/** Its newest figures. */
export async function refreshTopic () {
  const asked = shown
  if (asked === null) return
  try {
    const { rows } = await get('topics', { search: asked.name, limit: 200 })
    const row = rows.find(({ topic }) => topic === asked.topic)
    if (asked === shown && row !== undefined) describe(row)
  } catch {
    // The stream says how the server is doing, and the next figures come with it.
  }
}

function describe ({ subscribers, rate: events, byteRate, retained }) {
  const kept = retained === null ? '' : `, ${plural(retained, 'event', 'events')} retained`
  write(audience, `${plural(subscribers, 'subscriber', 'subscribers')}, ${rate(events)} / s, ${bytes(byteRate)} / s${kept}`)
  write(warning, `It goes to ${subscribers === 0 ? 'nobody now, and' : plural(subscribers, 'real subscriber,', 'real subscribers,')} into the log like any other.`)
}

function add ({ at, events, skipped }) {
  watched.querySelector('.note')?.remove()
  const isAtTop = watched.scrollTop < 4
  for (const { event, id, data, isCut, size } of events) {
    watched.prepend(element('li', {},
      element('p', { class: 'about' }, element('b', { text: event }), element('span', { text: clock(at) }), element('span', { text: bytes(size) }), element('span', { class: 'id', text: id })),
      element('pre', { text: isCut ? `${data}…` : data })))
  }
  if (skipped > 0) watched.prepend(element('li', { class: 'skipped', text: `${plural(skipped, 'event', 'events')} more came at this moment` }))
  while (watched.children.length > KEPT) watched.lastChild.remove()
  if (isAtTop) watched.scrollTop = 0
}

function note (text) {
  return element('li', { class: 'note', text })
}

async function publish () {
  write(outcome, 'Publishing…')
  try {
    const { id } = await post('publish', { topic: shown.topic, data: data.value, json: json.checked, ...type.value !== '' && { event: type.value } })
    write(outcome, `Published as ${id}.`)
  } catch (error) {
    write(outcome, error.message)
  }
}
