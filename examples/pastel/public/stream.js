/** An EventSource that never gives up, goes on where it was, and says how it is doing: `connecting`, `live` or `reconnecting`. */

// The server's heartbeat comes after 5 to 7.5 s of silence. This long without one, ms, and the line is dead.
const SILENCE = 16_000
const AGAIN = 2_000

/**
 * @param {string} url
 * @param {Record<string, (data: any) => void>} listeners by type of event
 * @param {(state: 'connecting' | 'live' | 'reconnecting') => void} onState
 * @returns {() => void} ends it for good
 */
export function openStream (url, listeners, onState) {
  let source
  let timer
  const page = new AbortController()
  // Of the last event. The browser keeps it for its own reconnects, and forgets it with its EventSource.
  let position = ''

  const connect = () => {
    clearTimeout(timer)
    source?.close()
    source = new EventSource(position === '' ? url : `${url}${url.includes('?') ? '&' : '?'}lastEventId=${encodeURIComponent(position)}`)
    source.onopen = () => {
      onState('live')
      wait()
    }
    source.onerror = () => {
      clearTimeout(timer)
      onState('reconnecting')
      // The browser tries again by itself, unless the answer was no stream, such as a proxy's 502.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, AGAIN)
    }
    source.addEventListener('heartbeat', heard)
    for (const [type, listener] of Object.entries(listeners)) {
      source.addEventListener(type, (event) => {
        heard(event)
        listener(JSON.parse(event.data))
      })
    }
  }

  const heard = ({ lastEventId }) => {
    position = lastEventId
    wait()
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
    source.close()
  }

  // A page kept for the back button must not hold a stream that nobody looks at.
  addEventListener('pagehide', rest, { signal: page.signal })
  addEventListener('pageshow', ({ persisted }) => { if (persisted) connect() }, { signal: page.signal })

  onState('connecting')
  connect()
  return () => {
    page.abort()
    rest()
  }
}
