/** Tabs, of which one is shown: with the keys that are expected of them. */

/** @param {(id: string) => void} onShow is told the tab's */
export function tabs (list, onShow) {
  const all = [...list.querySelectorAll('[role=tab]')]

  const show = (tab) => {
    for (const other of all) {
      const isIt = other === tab
      other.setAttribute('aria-selected', isIt)
      other.tabIndex = isIt ? 0 : -1
      document.getElementById(other.getAttribute('aria-controls')).hidden = !isIt
    }
    onShow(tab.id)
  }

  for (const tab of all) {
    tab.addEventListener('click', () => { show(tab) })
    tab.addEventListener('keydown', (event) => {
      const at = all.indexOf(tab)
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key]
      if (to === undefined) return
      event.preventDefault()
      const next = all.at(to % all.length)
      show(next)
      next.focus()
    })
  }
}
