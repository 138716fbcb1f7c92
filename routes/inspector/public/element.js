/** Elements. What comes from clients and the app is only ever text: there is no way here to write markup. */

/** @param {Record<string, unknown>} attributes without those that are null; `text`, `dataset` and listeners as such */
export function element (name, attributes = {}, ...children) {
  const made = name.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', name.slice(4)) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null) continue
    if (key === 'text') made.textContent = value
    else if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else made.setAttribute(key, value)
  }
  made.append(...children)
  return made
}

/** Writes only what is new: what is selected or read aloud stays as it is. */
export function write (place, text) {
  if (place.textContent !== text) place.textContent = text
}
