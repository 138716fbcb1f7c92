/** What both pages have: a deck in their address, and the one request that turns. */

/** The query that names the deck: none in the common deck. */
export const deck = new URLSearchParams(
  location.pathname.startsWith('/decks/') ? { deck: decodeURIComponent(location.pathname.split('/')[2]) } : {})

/** Sends a turn to one connection; answers whether it got there. */
export async function sendTurn (id, which) {
  try {
    const response = await fetch(`/connections/${encodeURIComponent(id)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action: 'turn', which }),
      signal: AbortSignal.timeout(5_000)
    })
    return response.status === 201
  } catch {
    return false
  }
}

/** Starts an element's animation again, also while it runs. */
export function replay (element, name) {
  element.classList.remove(name)
  void element.offsetWidth
  element.classList.add(name)
}
