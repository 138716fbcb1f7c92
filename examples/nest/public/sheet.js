/** The sheet: strokes from a topic, the paper from an observable, crayons that post. */
import { showState } from '/state.js'
import { openStream } from '/stream.js'

const strokes = document.querySelector('.strokes')

openStream('/strokes', {
  stroke ({ hue }) {
    const stroke = document.createElement('li')
    stroke.className = 'drawn'
    stroke.style.setProperty('--hue', hue)
    strokes.append(stroke)
  },
  // The server was restarted: what it draws now goes on no sheet of before.
  gap: () => { strokes.replaceChildren() }
}, showState)

openStream('/paper', {
  message (hue) { document.documentElement.style.setProperty('--hue', hue) }
}, () => {})

for (const crayon of document.querySelectorAll('.crayon')) {
  crayon.addEventListener('click', () => {
    void fetch('/strokes', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ hue: crayon.value }) })
  })
}
