/** A chart of the last five minutes, in SVG: what it shows can also be read with the keys. */
import { element, write } from './element.js'
import { KEPT } from './points.js'
import { clock } from './words.js'

const WIDTH = 600
const HEIGHT = 100
const BUCKET = 5_000
const BUCKETS = KEPT / BUCKET
// The scale ends on one of these times a power of ten, so that it stands still while figures move.
const ENDS = [1, 2, 4, 6, 8, 10]

export class Chart {
  #plot
  #most
  #readout
  #tell
  #svg = element('svg:svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  #mark = element('div', { class: 'mark', hidden: '' })
  // Of what is read: 0 is now, and null nothing in particular.
  #back = null
  #buckets = []

  /**
   * @param {HTMLElement} card
   * @param {(bucket: object) => string} tell says what is in it
   */
  constructor (card, tell) {
    this.#plot = card.querySelector('.plot')
    this.#most = card.querySelector('.most')
    this.#readout = card.querySelector('.readout')
    this.#tell = tell
    this.#plot.append(this.#svg, this.#mark)
    this.#plot.addEventListener('pointermove', ({ clientX }) => {
      const { left, width } = this.#plot.getBoundingClientRect()
      this.#look(BUCKETS - 1 - Math.floor((clientX - left) / width * BUCKETS))
    })
    this.#plot.addEventListener('pointerleave', () => { this.#look(null) })
    this.#plot.addEventListener('blur', () => { this.#look(null) })
    this.#plot.addEventListener('keydown', (event) => {
      const back = this.#back ?? 0
      const to = { ArrowLeft: back + 1, ArrowDown: back + 1, ArrowRight: back - 1, ArrowUp: back - 1, Home: BUCKETS - 1, End: 0, Escape: null }[event.key]
      if (to === undefined) return
      event.preventDefault()
      this.#look(to)
    })
  }

  /**
   * @param {import('./points.js').Points} points
   * @param {(points: object[]) => object} read makes one bucket of the points of 5 s
   * @param {(place: SVGElement, buckets: object[], scale: Scale) => void} paint
   * @param {{ least: number, greatest: (bucket: object) => number, say: (value: number) => string }} y
   */
  draw (points, read, paint, { least, greatest, say }) {
    const { at: now = Date.now() } = points.last ?? {}
    const first = Math.floor(now / BUCKET) - BUCKETS + 1
    const gathered = Array.from({ length: BUCKETS }, () => [])
    for (const point of points.all) gathered[Math.floor(point.at / BUCKET) - first]?.push(point)
    this.#buckets = gathered.map((inside, i) => ({ from: (first + i) * BUCKET, ...inside.length === 0 ? { isEmpty: true } : read(inside) }))
    const end = endOf(Math.max(least, ...this.#buckets.map((bucket) => bucket.isEmpty ? 0 : greatest(bucket))))
    write(this.#most, `up to ${say(end)}`)
    const step = WIDTH / BUCKETS
    this.#svg.replaceChildren()
    paint(this.#svg, this.#buckets, { x: (i) => i * step, step, y: (value) => HEIGHT - value / end * HEIGHT })
    for (const at of points.restarts) {
      const x = (at / BUCKET - first) * step
      this.#svg.append(element('svg:line', { class: 'restart', x1: x, x2: x, y1: 0, y2: HEIGHT }))
    }
    this.#say()
  }

  #look (back) {
    this.#back = back === null ? null : Math.min(BUCKETS - 1, Math.max(0, back))
    this.#say()
  }

  #say () {
    const back = this.#back ?? 0
    const bucket = this.#buckets[BUCKETS - 1 - back]
    if (bucket === undefined) return
    const text = `${clock(bucket.from)}: ${bucket.isEmpty ? 'nobody looked' : this.#tell(bucket)}`
    write(this.#readout, this.#back === null ? '' : text)
    this.#plot.setAttribute('aria-valuenow', -back * BUCKET / 1000)
    this.#plot.setAttribute('aria-valuetext', text)
    this.#mark.hidden = this.#back === null
    this.#mark.style.left = `${(BUCKETS - 1 - back) / BUCKETS * 100}%`
    this.#mark.style.width = `${100 / BUCKETS}%`
  }
}

/** Bars, one upon another. */
export function paintBars (svg, buckets, { x, y, step }, names) {
  buckets.forEach((bucket, i) => {
    let sum = 0
    for (const name of names) {
      const value = bucket[name] ?? 0
      if (value === 0) continue
      svg.append(element('svg:rect', { 'data-line': name, x: x(i) + step * 0.1, width: step * 0.8, y: y(sum + value), height: y(sum) - y(sum + value) }))
      sum += value
    }
  })
}

/** A line, with what is below it; it is broken where there is nothing. */
export function paintLine (svg, buckets, { x, y, step }, name, isFilled) {
  for (const run of runsOf(buckets)) {
    const places = run.map((i) => `${x(i) + step / 2} ${y(buckets[i][name])}`)
    if (places.length === 1) places.push(`${x(run[0]) + step} ${y(buckets[run[0]][name])}`)
    if (isFilled) svg.append(element('svg:path', { 'data-line': name, class: 'fill', d: `M${places.join('L')}V${y(0)}H${x(run[0]) + step / 2}Z` }))
    svg.append(element('svg:path', { 'data-line': name, class: 'line', d: `M${places.join('L')}` }))
  }
}

/** A tile's line, without scales. */
export class Spark {
  #svg = element('svg:svg', { class: 'spark', viewBox: '0 0 100 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' })

  constructor (tile) {
    tile.append(this.#svg)
  }

  draw (points, name) {
    const { at: now } = points.last
    const most = Math.max(1, ...points.all.map((point) => point[name]))
    const places = points.all.map((point) => `${100 - (now - point.at) / KEPT * 100} ${28 - point[name] / most * 25}`)
    if (places.length === 1) places.push(places[0])
    const [left] = places[0].split(' ')
    this.#svg.replaceChildren(
      element('svg:path', { class: 'fill', d: `M${places.join('L')}V30H${left}Z` }),
      element('svg:path', { class: 'line', d: `M${places.join('L')}` })
    )
  }
}

function runsOf (buckets) {
  const runs = []
  buckets.forEach((bucket, i) => {
    if (bucket.isEmpty) return
    if (runs.at(-1)?.at(-1) === i - 1) runs.at(-1).push(i)
    else runs.push([i])
  })
  return runs
}

function endOf (value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return ENDS.find((factor) => factor * power >= value - 1e-9) * power
}
