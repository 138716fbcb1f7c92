/** A list as long as may be, of which the server gives what is in sight: sorted, searched and read by the keys. */
import { element, write } from './element.js'
import { get } from './server.js'

const ROW = 40
// Rows beside those in sight, so that a turn of the wheel finds them there.
const BESIDE = 12
const MOST = 200
// Browsers have an end: beyond so many pixels a list can't be scrolled any more.
const HEIGHEST = 8_000_000

export class Table {
  #path
  #columns
  #idOf
  #onOpen
  #onFound
  #body = element('div', { class: 'body', role: 'rowgroup' })
  #head = element('div', { class: 'head', role: 'row' })
  #space = element('div', { class: 'space', role: 'presentation' })
  #view
  #empty = element('p', { class: 'empty', hidden: '' })
  // By index: those that are drawn, and what is known of them.
  #drawn = new Map()
  #rows = new Map()
  #found = 0
  #active = 0
  #activeId = null
  #search = ''
  #sort
  #isAsking = false
  #isStale = false
  #isDue = false
  #prefix

  /**
   * @param {HTMLElement} place
   * @param {{ path: string, label: string, idOf: (row: object) => string, columns: object[], sort: { name: string, isDescending: boolean },
   *   onOpen: (row: object) => void, onFound: (found: number, total: number) => void }} table
   *   of columns, `name` is the server's, `title` is read, `text` makes what is written of a row, `isNumber` and `width` say how it looks
   */
  constructor (place, { path, label, idOf, columns, sort, onOpen, onFound }) {
    this.#path = path
    this.#columns = columns
    this.#idOf = idOf
    this.#sort = sort
    this.#onOpen = onOpen
    this.#onFound = onFound
    this.#prefix = `${path}-row-`
    this.#view = element('div', {
      class: 'view',
      role: 'grid',
      tabindex: '0',
      'aria-label': label,
      'aria-colcount': columns.length,
      onscroll: () => { this.#draw() },
      onkeydown: (event) => { this.#press(event) },
      onclick: (event) => { this.#click(event) }
    })
    this.#view.style.setProperty('--columns', columns.map(({ width }) => width).join(' '))
    for (const column of columns) this.#head.append(this.#header(column))
    this.#body.append(this.#space)
    this.#view.append(element('div', { role: 'rowgroup', class: 'heads' }, this.#head), this.#body)
    place.append(this.#view, this.#empty)
    new ResizeObserver(() => { this.#draw() }).observe(this.#view)
    this.#showSort()
  }

  /** Shows what has these words. */
  search (text) {
    if (text === this.#search) return
    this.#search = text
    this.#begin()
  }

  /** The server has newer figures. */
  refresh () {
    this.#isStale = true
    void this.#ask()
  }

  focus () {
    this.#view.focus()
  }

  #begin () {
    this.#view.scrollTop = 0
    this.#active = 0
    this.#activeId = null
    this.refresh()
  }

  #header ({ name, title, isNumber, hint = null }) {
    const button = element('button', { type: 'button', text: title, title: hint, onclick: () => { this.#sortBy(name) } })
    return element('div', { role: 'columnheader', class: isNumber ? 'number' : null, 'data-name': name }, button)
  }

  #sortBy (name) {
    const { isNumber } = this.#columns.find((column) => column.name === name)
    const isSame = name === this.#sort.name
    this.#sort = { name, isDescending: isSame ? !this.#sort.isDescending : Boolean(isNumber) }
    this.#showSort()
    this.#begin()
  }

  #showSort () {
    const { name, isDescending } = this.#sort
    for (const header of this.#head.children) {
      const isIt = header.dataset.name === name
      if (isIt) header.setAttribute('aria-sort', isDescending ? 'descending' : 'ascending')
      else header.removeAttribute('aria-sort')
      header.firstChild.tabIndex = isIt ? 0 : -1   // the arrow keys lead to the others
    }
  }

  // One question at a time; what has changed meanwhile is asked about in the next one.
  async #ask () {
    if (this.#isAsking) return
    this.#isAsking = true
    while (this.#isStale) {
      this.#isStale = false
      const { first, last } = this.#sight()
      const offset = Math.max(0, first - BESIDE)
      const limit = Math.min(MOST, last - offset + BESIDE)
      const { name, isDescending } = this.#sort
      const search = this.#search
      try {
        const answer = await get(this.#path, { search, sort: name, direction: isDescending ? 'descending' : 'ascending', offset, limit })
        if (search === this.#search) this.#take(answer)
      } catch {
        break   // the stream says how the server is doing, and asks again
      }
    }
    this.#isAsking = false
  }

  #take ({ found, total, offset, rows }) {
    this.#found = found
    this.#rows = new Map(rows.map((row, i) => [offset + i, row]))
    this.#space.style.height = `${Math.min(HEIGHEST, found * ROW)}px`
    this.#view.setAttribute('aria-rowcount', found + 1)
    this.#empty.hidden = found !== 0
    write(this.#empty, this.#search === '' ? 'There is nothing yet.' : 'Nothing has these words.')
    // Who was looked at is followed where they went, as far as they are in sight.
    const at = rows.findIndex((row) => this.#idOf(row) === this.#activeId)
    this.#active = Math.min(at === -1 ? this.#active : offset + at, Math.max(0, found - 1))
    this.#onFound(found, total)
    this.#draw()
  }

  // The indexes of the rows in sight. A list that is longer than pixels go is scrolled in larger steps.
  #sight () {
    const { scrollTop, clientHeight } = this.#view
    const full = Math.max(1, this.#found * ROW)
    const top = full <= HEIGHEST ? scrollTop : scrollTop / Math.max(1, HEIGHEST - clientHeight) * (full - clientHeight)
    const first = Math.max(0, Math.floor(top / ROW))
    return { first, last: first + Math.ceil(clientHeight / ROW), shift: scrollTop - top }
  }

  #draw () {
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => {
      this.#isDue = false
      this.#drawNow()
    })
  }

  #drawNow () {
    const { first, last, shift } = this.#sight()
    const end = Math.min(this.#found, last + 1)
    for (const [index, row] of this.#drawn) {
      if (index >= first - 1 && index < end) continue
      row.remove()
      this.#drawn.delete(index)
    }
    let isMissing = false
    let before = null
    for (let index = first; index < end; index++) {
      const known = this.#rows.get(index)
      isMissing ||= known === undefined
      const row = this.#drawn.get(index) ?? this.#place(index, before)
      row.style.transform = `translateY(${index * ROW + shift}px)`
      row.classList.toggle('active', index === this.#active)
      row.setAttribute('aria-selected', index === this.#active)
      if (known !== undefined) this.#fill(row, known)
      before = row
    }
    const active = this.#drawn.get(this.#active)
    if (active === undefined) this.#view.removeAttribute('aria-activedescendant')
    else this.#view.setAttribute('aria-activedescendant', active.id)
    if (isMissing) this.refresh()
  }

  // In the order in which they are read.
  #place (index, before) {
    const cells = this.#columns.map(({ isNumber }) => element('div', { role: 'gridcell', class: isNumber ? 'number' : null }))
    const row = element('div', { class: 'row', role: 'row', id: `${this.#prefix}${index}`, 'aria-rowindex': index + 2 }, ...cells)
    if (before === null) this.#space.prepend(row)
    else before.after(row)
    this.#drawn.set(index, row)
    return row
  }

  #fill (row, known) {
    this.#columns.forEach(({ text, look }, i) => {
      const cell = row.children[i]
      write(cell, text(known))
      if (look !== undefined) cell.dataset.look = look(known)
    })
  }

  #move (to) {
    this.#active = Math.min(Math.max(0, to), Math.max(0, this.#found - 1))
    const known = this.#rows.get(this.#active)
    this.#activeId = known === undefined ? null : this.#idOf(known)
    this.#reveal()
    this.#draw()
  }

  #reveal () {
    const { scrollTop, clientHeight } = this.#view
    const { shift } = this.#sight()
    const inside = clientHeight - this.#head.offsetHeight
    const top = this.#active * ROW + shift
    if (top < scrollTop) this.#view.scrollTop = top
    else if (top + ROW > scrollTop + inside) this.#view.scrollTop = top + ROW - inside
  }

  #press (event) {
    if (event.target !== this.#view) {
      if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') this.#stepHeader(event)
      else if (event.key === 'ArrowDown') {
        event.preventDefault()
        this.#view.focus()
      }
      return
    }
    const page = Math.max(1, Math.floor(this.#view.clientHeight / ROW) - 2)
    const to = { ArrowDown: this.#active + 1, ArrowUp: this.#active - 1, PageDown: this.#active + page, PageUp: this.#active - page, Home: 0, End: this.#found - 1 }[event.key]
    if (to !== undefined) {
      event.preventDefault()
      this.#move(to)
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      this.#open(this.#active)
    }
  }

  #stepHeader (event) {
    const buttons = [...this.#head.children].map((header) => header.firstChild)
    const at = buttons.indexOf(event.target)
    if (at === -1) return
    event.preventDefault()
    buttons[(at + (event.key === 'ArrowRight' ? 1 : buttons.length - 1)) % buttons.length].focus()
  }

  #click ({ target }) {
    const row = target.closest('.row')
    if (row === null) return
    this.#move(Number(row.getAttribute('aria-rowindex')) - 2)
    this.#open(this.#active)
  }

  #open (index) {
    const known = this.#rows.get(index)
    if (known === undefined) return
    this.#activeId = this.#idOf(known)
    this.#onOpen(known)
  }
}
