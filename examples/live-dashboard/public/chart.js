/** A chart: lines over the last two minutes, and bands where there is nothing to draw. */
import UPlot from '/uplot/uPlot.esm.js'
import { KEPT } from './series.js'
import { clock, duration, mark } from './words.js'

const TICK = 30_000
// The scale ends on one of these times a power of ten: it stands still while figures move, and its middle is a round number.
const ENDS = [1, 2, 4, 6, 8, 10]
const LABELS = { idle: () => 'nobody watched', away: () => 'no connection', gap: ({ from, to }) => `${duration(to - from)} missing`, lost: () => 'lost' }
const NO_MOUSE = { mousedown: () => null, mouseup: () => null, click: () => null, dblclick: () => null, mousemove: () => null, mouseleave: () => null, mouseenter: () => null }

export class Chart {
  #plot
  #lines
  #series
  #uplot
  #colours = []
  #bands = new Map()
  #view = { edge: 0, isAway: false, time: null }

  /**
   * @param {HTMLElement} plot where it is drawn
   * @param {{ swatch: HTMLElement, value: (point: object) => number }[]} lines the first one is filled
   * @param {Series} series
   * @param {{ least: number, isStepped?: boolean }} scale `least` is the end of the scale while values are small
   */
  constructor (plot, lines, series, { least, isStepped = false }) {
    this.#plot = plot
    this.#lines = lines
    this.#series = series
    const quiet = () => getComputedStyle(plot).color
    const font = `12px ${getComputedStyle(plot).fontFamily}`
    const paths = isStepped ? UPlot.paths.stepped({ align: 1 }) : UPlot.paths.linear()
    this.#uplot = new UPlot({
      ...this.#size(),
      ms: 1,
      padding: [6, 0, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, bind: NO_MOUSE, points: { size: 9, width: 2, stroke: quiet } },
      scales: {
        x: { time: true, range: () => [this.#view.edge - KEPT, this.#view.edge] },
        y: { range: (_uplot, _min, max) => [0, end(Math.max(least, (max ?? 0) * 1.08))] }
      },
      axes: [
        { stroke: quiet, font, size: 24, gap: 4, grid: { show: false }, ticks: { show: false }, splits: (_uplot, _axis, min, max) => ticks(min, max), values: (_uplot, splits) => splits.map(clock) },
        { stroke: quiet, font, size: 40, gap: 6, grid: { stroke: quiet, width: 1, dash: [1, 6] }, ticks: { show: false }, splits: (_uplot, _axis, min, max) => [min, max / 2, max], values: (_uplot, splits) => splits.map(mark) }
      ],
      series: [{}, ...lines.map((_line, i) => ({
        paths,
        width: i === 0 ? 2 : 2.5,
        spanGaps: false,
        points: { show: false },
        stroke: () => this.#colours[i].stroke,
        ...i === 0 && { fill: () => this.#colours[i].fill }
      }))],
      hooks: { draw: [() => { this.#placeBands() }, () => { this.#placeCursor() }] }
    }, this.data, plot)
    new ResizeObserver(() => { this.#uplot.setSize(this.#size()) }).observe(plot)
  }

  /** What is drawn: a blank is a place without a value, over which no line goes. */
  get data () {
    const blanks = new Map(this.#series.blanks.map((blank) => [blank.from, blank]))
    const columns = [[], ...this.#lines.map(() => [])]
    for (const point of this.#series.points) {
      columns[0].push(point.at)
      this.#lines.forEach(({ value }, i) => { columns[i + 1].push(value(point)) })
      const blank = blanks.get(point.at)
      if (blank === undefined) continue
      columns[0].push(Math.min(blank.from + 1, (blank.from + blank.to) / 2))
      for (const values of columns.slice(1)) values.push(null)
    }
    return columns
  }

  /** @param {{ edge: number, isAway: boolean, time: number | null }} view the newest time, and the one that is looked at */
  draw (view) {
    this.#view = view
    this.#colours = this.#lines.map(({ swatch }) => {
      const { color: stroke, backgroundColor: fill } = getComputedStyle(swatch)
      return { stroke, fill }
    })
    this.#uplot.setData(this.data)
  }

  /** The time under a place on the page. */
  timeAt (clientX) {
    const { left } = this.#uplot.over.getBoundingClientRect()
    return this.#uplot.posToVal(clientX - left, 'x')
  }

  #size () {
    const { clientWidth: width, clientHeight: height } = this.#plot
    return { width, height }
  }

  #placeBands () {
    const { edge, isAway } = this.#view
    const trailing = this.#series.trailing(edge, isAway)
    const blanks = [...this.#series.blanks, ...trailing === null ? [] : [trailing]].filter(({ to }) => to > edge - KEPT)
    const seen = new Set(blanks.map(({ from }) => from))
    for (const [from, band] of this.#bands) {
      if (seen.has(from)) continue
      band.remove()
      this.#bands.delete(from)
    }
    for (const blank of blanks) this.#placeBand(blank)
  }

  #placeBand (blank) {
    const { from, to, kind } = blank
    let band = this.#bands.get(from)
    if (band === undefined) {
      band = document.createElement('div')
      band.className = 'band'
      band.append(document.createElement('span'))
      this.#bands.set(from, band)
      this.#uplot.under.append(band)
    }
    const left = Math.max(0, this.#uplot.valToPos(from, 'x'))
    band.dataset.kind = kind
    band.style.left = `${left}px`
    band.style.width = `${this.#uplot.valToPos(to, 'x') - left}px`
    band.firstChild.textContent = LABELS[kind](blank)
  }

  #placeCursor () {
    const { time } = this.#view
    const point = time === null ? undefined : this.#series.find(time)
    const left = time === null ? -10 : this.#uplot.valToPos(point?.at ?? time, 'x')
    this.#uplot.setCursor({ left, top: 0 }, false)
  }
}

function end (value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return ENDS.find((factor) => factor * power >= value) * power
}

function ticks (min, max) {
  const margin = KEPT / 16   // half a label
  const first = Math.ceil((min + margin) / TICK) * TICK
  return Array.from({ length: Math.floor((max - margin - first) / TICK) + 1 }, (_, i) => first + i * TICK)
}
