/** Lines of JSON as Pastelli has them: the data of an event; or of one that has a type or an id, `{ event, id, data }`. */

/** An event as a server has sent it. */
export interface SentEvent {
  event: string | undefined
  id: string | undefined
  /** As text, as it came. */
  data: string
}

const STRING = '("(?:[^"\\\\]|\\\\.)*")'
const ENVELOPE = new RegExp(`^{(?:"event":${STRING},)?(?:"id":${STRING},)?"data":(.*)}$`)

// What no field of an event may have in it: it would be an event of its own. [spec] Nor may an id have a NUL.
const FORBIDDEN = /[\r\n\0]/

/** Undefined for a line that is blank. */
export function parseLine (line: string): SentEvent | undefined {
  if (line.trim() === '') return undefined
  const [, event, id, data = ''] = ENVELOPE.exec(line) ?? []
  // The text of the data is kept, since a number may have more digits than JSON.parse gives back.
  const isEnvelope = (event ?? id) !== undefined && isJson(data) && [event, id].every(isField)
  if (!isEnvelope) return { event: undefined, id: undefined, data: line }
  return { event: event && JSON.parse(event), id: id && JSON.parse(id), data }
}

export function isJson (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isField (json: string | undefined): boolean {
  return json === undefined || (isJson(json) && !FORBIDDEN.test(JSON.parse(json)))
}
