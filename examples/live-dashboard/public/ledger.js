/** The ledger: says in words which points are there, which are missing, and who said so. */
import { clock, duration, plural, whole } from './words.js'

const WHY = {
  foreign: 'the server was restarted, and what it had kept went with it',
  trimmed: 'the page was away for longer than the server keeps them',
  overflow: 'the page was too slow to read them',
  malformed: 'the server could not read where the page was'
}

export class Ledger {
  #card
  #series
  #written = ''

  /**
   * @param {HTMLElement} card
   * @param {Record<string, Series>} series by topic
   */
  constructor (card, series) {
    this.#card = card
    this.#series = series
  }

  /**
   * @param cuts how often the connection was lost and found again
   * @param late how many points came because of that
   */
  write (cuts, late) {
    const all = Object.values(this.#series)
    const sum = (count) => all.reduce((sum, series) => sum + count(series), 0)
    const [lost, gaps, twice] = [sum(({ counts }) => counts.lost), sum(({ counts }) => counts.gap), sum((series) => series.twice)]
    const isWrong = lost + twice > 0
    this.#card.dataset.verdict = isWrong ? 'wrong' : gaps > 0 ? 'gaps' : 'whole'
    this.#put('.count', whole(sum(({ count }) => count)))
    this.#put('.proof', isWrong
      ? `This should never be: ${lost > 0 ? 'points are missing in silence.' : `${plural(twice, 'point')} came twice.`}`
      : `${gaps > 0 ? 'Some are missing, as the page was told.' : 'None missing,'} ${gaps > 0 ? 'N' : 'n'}one twice.`)
    this.#put('.numbers', this.#numbers(gaps))
    this.#put('.late', cuts === 0 ? '' : `Cut ${plural(cuts, 'time')}. ${late === 0 ? '' : `${plural(late, 'point')} came late, each in its place.`}`)
    this.#list(this.#blanks())
  }

  #numbers (gaps) {
    const runs = Object.entries(this.#series).filter(([, { last }]) => last !== undefined)
      .map(([topic, { first, last }]) => `${topic} ${whole(first)} to ${whole(last.n)}`)
    return `${gaps > 0 ? 'Since then ' : ''}${runs.join(', ')}`
  }

  // What both topics are without, once.
  #blanks () {
    const blanks = Object.entries(this.#series).flatMap(([topic, series]) => series.blanks.map((blank) => ({ ...blank, topic })))
    return [...Map.groupBy(blanks, ({ kind, from, to }) => `${kind} ${from} ${to}`).values()]
      .map((same) => ({ ...same[0], topics: same.map(({ topic }) => topic) }))
      .sort((a, b) => b.from - a.from)
  }

  // Only if it says something else: it is read out.
  #list (blanks) {
    const sentences = blanks.map((blank) => this.#sentence(blank))
    const written = sentences.join('\n')
    if (written === this.#written) return
    this.#written = written
    this.#card.querySelector('.blanks').replaceChildren(...blanks.map(({ kind }, i) => {
      const item = document.createElement('li')
      item.dataset.kind = kind
      item.textContent = sentences[i]
      return item
    }))
  }

  #sentence ({ kind, from, to, missing, reason, next, topics }) {
    const time = `${clock(from)} to ${clock(to)}`
    if (kind === 'idle') return `${time}: nobody watched, so nothing was measured.`
    const what = missing === null ? duration(to - from) : plural(missing, 'point')
    const more = missing === null && next > 1 ? `, and ${plural(next - 1, 'point')} of its new count` : ''
    const of = topics.length === Object.keys(this.#series).length ? '' : ` of ${topics.join(', ')}`
    return `${time}: ${what}${of} missing${more}; ${kind === 'lost' ? 'and nobody said so' : WHY[reason]}.`
  }

  #put (place, text) {
    const element = this.#card.querySelector(place)
    if (element.textContent !== text) element.textContent = text
  }
}
