/** Figures as people read them. */

/** How a figure of the results is told: in which unit, in how many digits. */
export type Format = (value: number) => string

export function microseconds (value: number): string {
  return value.toFixed(value < 10 ? 2 : 1)
}

export function milliseconds (ms: number): string {
  return ms.toFixed(1)
}

export function perSecond (rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} M`
  return rate >= 1e5 ? `${(rate / 1e3).toFixed(0)} k` : `${(rate / 1e3).toFixed(1)} k`
}

export function kibibytes (bytes: number): string {
  return (bytes / 2 ** 10).toFixed(1)
}

export function mebibytes (bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}

export function whole (value: number): string {
  return value.toFixed(0)
}

export function grouped (value: number): string {
  return value.toLocaleString('en-US')
}
