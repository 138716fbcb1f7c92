/**
 * What a client accepts: media types and content codings.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */

interface Range { type: string, subtype: string, isPlain: boolean, quality: number }

// What a quoted parameter holds does not matter, and may look like anything.
const QUOTED = /"(?:[^"\\]|\\.)*"?/g

/**
 * Which of the choices the client likes best, the first one of those that it likes as much; null if it accepts none.
 * @param accept the header; without it, or if there is nothing to be understood in it, everything is accepted
 * @param typesOf the names of a choice's media type, in lower case, without parameters
 */
export function preferred<Choice> (accept: string | undefined, choices: readonly Choice[], typesOf: (choice: Choice) => readonly string[]): Choice | null {
  const ranges = accept === undefined ? [] : parse(accept)
  if (ranges.length === 0) return choices[0] ?? null
  let best: Choice | null = null
  let highest = 0
  for (const choice of choices) {
    const quality = qualityOf(typesOf(choice), ranges)
    if (quality <= highest) continue
    highest = quality
    best = choice
  }
  return best
}

/**
 * Which of these content codings the client likes best, the first one of those that it likes as much; null if it accepts
 * none, or likes it best as it is.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 */
export function preferredCoding<Coding extends string> (acceptEncoding: string, codings: readonly Coding[]): Coding | null {
  const qualities = new Map(elements(acceptEncoding).map(([coding, ...parameters]) => [coding.replace(/^x-/, ''), weightOf(parameters)]))
  let best: Coding | null = null
  let highest = 0
  for (const coding of codings) {
    const quality = qualities.get(coding) ?? qualities.get('*') ?? 0
    if (quality <= highest) continue
    highest = quality
    best = coding
  }
  return highest < (qualities.get('identity') ?? 0) ? null : best
}

function parse (accept: string): Range[] {
  return elements(accept).flatMap(([range, ...parameters]) => {
    const [type = '', subtype = ''] = range.split('/')
    if (type === '' || subtype === '') return []
    const isPlain = parameters.length === 0 || isWeight(parameters[0] as string)
    return [{ type, subtype, isPlain, quality: weightOf(parameters) }]
  })
}

// Each a name and its parameters.
function elements (header: string): Array<[name: string, ...parameters: string[]]> {
  return header.replace(QUOTED, '""').split(',').map((element) => {
    const [name = '', ...parameters] = element.split(';').map((part) => part.trim().toLowerCase())
    return [name, ...parameters]
  })
}

function isWeight (parameter: string): boolean {
  return /^q\s*=/.test(parameter)
}

// A weight that is none is as good as unsaid: nobody names what he does not want.
function weightOf (parameters: readonly string[]): number {
  const weight = parameters.find(isWeight)
  if (weight === undefined) return 1
  const value = weight.slice(weight.indexOf('=') + 1).trim()
  const quality = Number(value)
  return value !== '' && quality >= 0 && quality <= 1 ? quality : 1
}

// [RFC 9110] "The most specific reference has precedence."
function qualityOf (names: readonly string[], ranges: readonly Range[]): number {
  let quality = 0
  let precedence = 0
  for (const range of ranges) {
    const own = precedenceOf(range, names)
    if (own === 0 || own < precedence) continue
    quality = own === precedence ? Math.max(quality, range.quality) : range.quality
    precedence = own
  }
  return quality
}

// One with parameters names something more special than there is: it counts where there is nothing else.
function precedenceOf ({ type, subtype, isPlain }: Range, names: readonly string[]): number {
  if (names.includes(`${type}/${subtype}`)) return isPlain ? 4 : 3
  if (subtype !== '*') return 0
  if (type === '*') return 1
  return names.some((name) => name.startsWith(`${type}/`)) ? 2 : 0
}
