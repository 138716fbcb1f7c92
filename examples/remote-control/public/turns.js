/** What turns a slide: arrow keys, a presenter's clicker, a swipe. Told as the codes of the arrow keys. */

export const BACK = 37
export const NEXT = 39

const KEYS = { ArrowLeft: BACK, PageUp: BACK, ArrowRight: NEXT, PageDown: NEXT }
const FAR = 48   // px

/**
 * @param {HTMLElement} surface where swipes count; its CSS needs `touch-action: pan-y`
 * @param {(which: 37 | 39) => void} turn
 */
export function listenForTurns (surface, turn) {
  addEventListener('keydown', (event) => {
    const which = KEYS[event.key]
    const isOurs = !event.altKey && !event.ctrlKey && !event.metaKey && !document.querySelector('dialog[open]')
    if (which === undefined || !isOurs) return
    event.preventDefault()
    if (!event.repeat) turn(which)
  })

  let from = null
  const drag = (x) => surface.style.setProperty('--drag', `${x}px`)
  const release = () => {
    from = null
    surface.classList.remove('dragged')
    drag(0)
  }
  surface.addEventListener('pointerdown', (event) => {
    if (event.isPrimary && event.pointerType !== 'mouse') from = event
  })
  addEventListener('pointermove', (event) => {
    if (from?.pointerId !== event.pointerId) return
    surface.classList.add('dragged')
    drag(event.clientX - from.clientX)
  })
  addEventListener('pointerup', (event) => {
    if (from?.pointerId !== event.pointerId) return
    const x = event.clientX - from.clientX
    const y = event.clientY - from.clientY
    release()
    if (Math.abs(x) > FAR && Math.abs(x) > 2 * Math.abs(y)) turn(x < 0 ? NEXT : BACK)
  })
  addEventListener('pointercancel', release)
}
