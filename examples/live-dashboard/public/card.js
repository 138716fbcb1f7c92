/** A card: one chart, its figures now or at the time that is looked at, and the keys that look around in it. */
import { Chart } from './chart.js'
import { KEPT } from './series.js'
import { clock, figure } from './words.js'

const LEAP = 20
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -LEAP, PageDown: LEAP, Home: -Infinity, End: Infinity }

export class Card {
  /** @readonly */
  chart
  #element
  #plot
  #outputs
  #series
  #values
  #write
  #time = null

  /**
   * @param {HTMLElement} element
   * @param {Series} series
   * @param {{ values: ((point: object) => number)[], write?: (value: number) => string, least: number, isStepped?: boolean }} options
   * @param {(time: number | null) => void} look is called with the time that somebody wants to look at; null: what is newest
   */
  constructor (element, series, { values, write = figure, ...scale }, look) {
    this.#element = element
    this.#plot = element.querySelector('.plot')
    this.#outputs = [...element.querySelectorAll('.value')]
    this.#series = series
    this.#values = values
    this.#write = write
    const swatches = element.querySelectorAll('.swatch')
    this.chart = new Chart(this.#plot, values.map((value, i) => ({ value, swatch: swatches[i] })), series, scale)
    this.#listen(look)
  }

  draw (view) {
    this.#time = view.time
    this.chart.draw(view)
    const point = view.time === null ? this.#series.last : this.#series.find(view.time)
    this.#outputs.forEach((output, i) => { output.textContent = point === undefined ? '–' : this.#write(this.#values[i](point)) })
    this.#element.querySelector('.when').textContent = view.time === null ? '' : clock(view.time)
    // While it moves by itself it is not read out.
    if (view.time !== null || document.activeElement !== this.#plot) this.#describe(view)
  }

  #listen (look) {
    const plot = this.#plot
    plot.addEventListener('keydown', (event) => {
      const isOurs = !event.altKey && !event.ctrlKey && !event.metaKey
      if (!isOurs || !(event.key in STEPS || event.key === 'Escape')) return
      event.preventDefault()
      look(event.key in STEPS ? this.#timeBeside(STEPS[event.key]) : null)
    })
    plot.addEventListener('pointermove', ({ clientX }) => { look(this.chart.timeAt(clientX)) })
    for (const type of ['pointerleave', 'pointercancel', 'blur']) plot.addEventListener(type, () => { look(null) })
  }

  // Of the point so many steps away; the newest one is left to move.
  #timeBeside (steps) {
    const points = this.#series.points.filter(({ at }) => at > this.#series.last.at - KEPT)
    const behind = this.#time === null ? -1 : points.findIndex(({ at }) => at >= this.#time)
    const index = Math.max(0, (behind === -1 ? points.length - 1 : behind) + steps)
    return index >= points.length - 1 ? null : points[index].at
  }

  #describe ({ time, edge }) {
    const figures = [...this.#element.querySelectorAll('.figure')].map(({ innerText }) => innerText.replace(/\s+/g, ' '))
    this.#plot.setAttribute('aria-valuenow', time === null ? 0 : Math.round((time - edge) / 1_000))
    this.#plot.setAttribute('aria-valuetext', `${time === null ? 'Now' : clock(time)}: ${figures.join(', ')}`)
  }
}
