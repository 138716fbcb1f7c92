/** Figures as people read them. */

const WHOLE = new Intl.NumberFormat('en')
const FINE = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const SIZES = ['B', 'kB', 'MB', 'GB', 'TB']

export function whole (value) {
  return WHOLE.format(Math.round(value))
}

/** Small ones with a decimal, great ones without. */
export function rate (value) {
  if (value === 0) return '0'
  return value < 10 ? FINE.format(value) : whole(value)
}

export function bytes (value) {
  let size = 0
  for (; value >= 999.5 && size < SIZES.length - 1; size++) value /= 1000
  return `${size === 0 || value >= 99.5 ? whole(value) : value.toFixed(1)} ${SIZES[size]}`
}

export function ms (value) {
  if (value < 9.95) return `${value.toFixed(1)} ms`
  return value < 999.5 ? `${whole(value)} ms` : `${(value / 1000).toFixed(1)} s`
}

/** @param value ms */
export function duration (value) {
  const seconds = Math.max(0, Math.round(value / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds % 86_400 / 3600)} h`
}

export function clock (at) {
  return CLOCK.format(at)
}

export function moment (at) {
  return Date.now() - at < 72_000_000 ? clock(at) : DAY.format(at)
}

export function plural (count, one, many) {
  return `${whole(count)} ${count === 1 ? one : many}`
}
