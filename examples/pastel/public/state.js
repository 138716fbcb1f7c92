/** Shows how the stream is doing. */

const WORDS = { connecting: 'Connecting…', live: 'Live', reconnecting: 'Reconnecting…' }

/** CSS does the rest. */
export function showState (state) {
  document.documentElement.dataset.state = state
  for (const place of document.querySelectorAll('.state-word')) place.textContent = WORDS[state]
}
