/**
 * What a client accepts.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */

interface Range { type: string, subtype: string, quality: number }

/**
 * Which of the choices the client likes best, the first one of those that it likes as much; null if it accepts none.
 * @param accept the header; without it everything is accepted
 * @param typesOf the media types of a choice, in lower case, without parameters
 */
export function preferred<Choice> (accept: string | undefined, choices: readonly Choice[], typesOf: (choice: Choice) => readonly string[]): Choice | null {
  if (accept === undefined || accept.trim() === '') return choices[0] ?? null
  const ranges = parse(accept)
  let best: Choice | null = null
  let highest = 0
  for (const choice of choices) {
    const quality = Math.max(...typesOf(choice).map((type) => qualityOf(type, ranges)))
    if (quality <= highest) continue
    highest = quality
    best = choice
  }
  return best
}

function parse (accept: string): Range[] {
  return accept.split(',').flatMap((element) => {
    const [range = '', ...parameters] = element.split(';').map((part) => part.trim().toLowerCase())
    const [type = '', subtype] = range.split('/')
    if (type === '' || subtype === undefined || subtype === '') return []
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))
    const quality = weight === undefined ? 1 : Number(weight.slice(weight.indexOf('=') + 1))
    return [{ type, subtype, quality: quality >= 0 && quality <= 1 ? quality : 0 }]
  })
}

// [RFC 9110] "The most specific reference has precedence."
function qualityOf (mediaType: string, ranges: readonly Range[]): number {
  const [type, subtype] = mediaType.split('/')
  const exact = ranges.filter((range) => range.type === type && range.subtype === subtype)
  const partial = ranges.filter((range) => range.type === type && range.subtype === '*')
  const any = ranges.filter((range) => range.type === '*' && range.subtype === '*')
  const matching = exact.length !== 0 ? exact : partial.length !== 0 ? partial : any
  return Math.max(0, ...matching.map(({ quality }) => quality))
}
