/** Nothing but the data of events, as they come: text verbatim, everything else as JSON, one value a line. */
import { checkFields, encodeData } from './event-stream.ts'
import type { Format } from './format.ts'
import { oneLine } from './ndjson.ts'

export const plainText: Format = {
  type: 'text/plain',
  aliases: [],
  contentType: 'text/plain; charset=utf-8',
  encoding: 'utf8',
  encode: (data, fields) => {
    if (fields != null) checkFields(fields)
    return show(encodeData(data), typeof data !== 'string')
  },
  encodeStored: ({ data, json }) => show(data, json),
  hasTypes: false,
  opening: '',
  endsEvent: () => true,
  encodeHeartbeat: () => ''
}

function show (text: string, json: boolean): string {
  return json ? oneLine(text) + '\n' : text
}
