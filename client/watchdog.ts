/** Finds out that nobody is there any more: nothing has come for too long. */

// How often it looks at most, ms: so soon after a laptop's sleep it is found.
const STEP = 5_000

// What has come while the process slept or was busy is read first, ms.
const GRACE = 50

export interface Watchdog {
  heard: () => void
  stop: () => void
}

/**
 * @param timeout ms; 0: it never barks
 * @param isReading while nothing is read, silence means nothing
 */
export function watch (timeout: number, isReading: () => boolean, bark: () => void): Watchdog {
  // The one clock may stand still while a laptop sleeps, the other may be set back.
  let wall = Date.now()
  let steady = performance.now()
  let isSuspicious = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    wall = Date.now()
    steady = performance.now()
  }
  const look = () => {
    if (!isReading()) heard()
    const isLate = Math.max(Date.now() - wall, performance.now() - steady) >= timeout
    if (isLate && isSuspicious) return bark()
    isSuspicious = isLate
    timer = setTimeout(look, isLate ? GRACE : Math.min(timeout / 4, STEP))
  }
  if (timeout > 0) look()
  return { heard, stop: () => { clearTimeout(timer) } }
}
