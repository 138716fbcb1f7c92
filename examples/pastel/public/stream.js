/** An EventSource that never gives up, and says how it is doing: `connecting`, `live` or `reconnecting`. */

// The server's heartbeat comes after 5 to 7.5 s of silence. This long without one, ms, and the line is dead.
const SILENCE = 16_000
const AGAIN = 2_000

/**
 * @param {string} url
 * @param {Record<string, (data: any) => void>} listeners by type of event
 * @param {(state: 'connecting' | 'live' | 'reconnecting') => void} onState
 */
export function openStream (url, listeners, onState) {
  let source
  let timer

  const connect = () => {
    clearTimeout(timer)
    source?.close()
    source = new EventSource(url)
    source.onopen = () => {
      onState('live')
      heard()
    }
    source.onerror = () => {
      clearTimeout(timer)
      onState('reconnecting')
      // The browser tries again by itself, unless the answer was no stream, such as a proxy's 502.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, AGAIN)
    }
    source.addEventListener('heartbeat', heard)
    for (const [type, listener] of Object.entries(listeners)) {
      source.addEventListener(type, ({ data }) => {
        heard()
        listener(JSON.parse(data))
      })
    }
  }

  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      onState('reconnecting')
      connect()
    }, SILENCE)
  }

  // A page kept for the back button must not hold a stream that nobody looks at.
  addEventListener('pagehide', () => {
    clearTimeout(timer)
    source.close()
  })
  addEventListener('pageshow', ({ persisted }) => { if (persisted) connect() })

  onState('connecting')
  connect()
}
