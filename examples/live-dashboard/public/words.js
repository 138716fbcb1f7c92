/** Times and figures as people read them. */

const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
const PLACES = [0, 1, 2].map((digits) => new Intl.NumberFormat('en', { maximumFractionDigits: digits, minimumFractionDigits: digits }))
const MARK = new Intl.NumberFormat('en')

/** 14:03:05 */
export function clock (time) {
  return TIME.format(time)
}

/** 12 s */
export function duration (ms) {
  if (ms < 59_500) return `${PLACES[ms < 9_950 ? 1 : 0].format(ms / 1_000)} s`
  const minutes = Math.floor(ms / 60_000)
  return `${minutes} min ${Math.round(ms / 1_000 - minutes * 60)} s`
}

/** With about three digits, so that it does not jump: 0.42, 4.2, 42. */
export function figure (value) {
  return PLACES[value < 0.995 ? 2 : value < 9.95 ? 1 : 0].format(value)
}

export function whole (value) {
  return PLACES[0].format(value)
}

/** On a scale: 0, 2.5, 5 */
export function mark (value) {
  return MARK.format(value)
}

/** 1 point, 2 points */
export function plural (count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`
}
