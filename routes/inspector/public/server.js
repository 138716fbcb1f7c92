/** What the page asks of the server. All addresses are relative, so that they hold behind any prefix. */

/** @throws an Error that says what the server has answered */
export async function get (path, params = {}) {
  return await ask(`${path}?${new URLSearchParams(params)}`, {})
}

/** @throws the same */
export async function post (path, fields) {
  return await ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) })
}

async function ask (url, options) {
  const response = await fetch(url, { ...options, cache: 'no-store' })
  const text = await response.text()
  if (response.ok) return text === '' ? null : JSON.parse(text)
  throw Object.assign(new Error(messageOf(text) ?? `The server answered ${response.status}.`), { status: response.status })
}

function messageOf (text) {
  try {
    return JSON.parse(text).message
  } catch {
    return undefined
  }
}
