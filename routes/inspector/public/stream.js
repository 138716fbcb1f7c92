/** An EventSource that never gives up, rests while nobody sees the page, and says how it is doing. */
import { get } from './server.js'

// The server's heartbeat comes after 5 to 7.5 s of silence. This long without a sign of life, ms, and the line is dead.
const SILENCE = 16_000
const AGAIN = 2_000
// What is behind another window for so long, ms, need not be shown.
const HIDDEN = 60_000

/**
 * @param {string} url
 * @param {Record<string, (data: any) => void>} listeners by type of event
 * @param {(state: 'connecting' | 'live' | 'reconnecting' | 'paused' | 'refused') => void} onState
 * @returns {() => void} ends it for good
 */
export function openStream (url, listeners, onState) {
  let source = null
  let timer
  let hiding
  const page = new AbortController()
  const { signal } = page

  const connect = () => {
    rest()
    source = new EventSource(url)
    source.onopen = () => {
      onState('live')
      wait()
    }
    source.onerror = () => {
      clearTimeout(timer)
      onState('reconnecting')
      // The browser tries again by itself, unless the answer was no stream, such as a proxy's 502.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(retry, AGAIN)
    }
    source.addEventListener('heartbeat', wait)
    for (const [type, listener] of Object.entries(listeners)) {
      source.addEventListener(type, ({ data }) => {
        wait()
        listener(JSON.parse(data))
      })
    }
  }

  // An EventSource does not tell why it was refused: who may not look any more need not knock for ever.
  const retry = async () => {
    try {
      await get('connections', { limit: 0 })
    } catch ({ status }) {
      if (status === 401 || status === 403) {
        onState('refused')
        return
      }
    }
    if (!signal.aborted) connect()
  }

  const wait = () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      onState('reconnecting')
      connect()
    }, SILENCE)
  }

  const rest = () => {
    clearTimeout(timer)
    source?.close()
    source = null
  }

  const pause = () => {
    rest()
    onState('paused')
  }

  // A page kept for the back button must not hold a stream that nobody looks at.
  addEventListener('pagehide', pause, { signal })
  addEventListener('pageshow', ({ persisted }) => { if (persisted) connect() }, { signal })
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(pause, HIDDEN)
    else if (source === null) connect()
  }, { signal })

  onState('connecting')
  connect()
  return () => {
    page.abort()
    clearTimeout(hiding)
    rest()
  }
}
