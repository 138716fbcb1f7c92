/**
 * Which of the types that there are a client gets for its `Accept`, and which coding for its `Accept-Encoding`.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
import fc from 'fast-check'
import t from 'tap'
import { preferred, preferredCoding } from '../../lib/wire/accept.ts'

const SEED = Number(process.env.PASTELLI_FUZZ_SEED ?? Date.now() % 2 ** 31)

const NAMES: Record<string, string[]> = {
  sse: ['text/event-stream'],
  lines: ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
  text: ['text/plain'],
  json: ['application/json']
}
const CHOICES = Object.keys(NAMES)
const choose = (accept: string | undefined, choices = CHOICES) => preferred(accept, choices, (choice) => NAMES[choice] as string[])

const CASES: Record<string, Array<[accept: string | undefined, best: string | null, why?: string]>> = {
  'whoever says nothing accepts everything': [
    [undefined, 'sse'],
    ['', 'sse'],
    ['  ', 'sse'],
    [',, ,', 'sse', 'an empty list']
  ],
  'the type that is named': [
    ['text/event-stream', 'sse'],
    ['application/x-ndjson', 'lines'],
    ['application/jsonl', 'lines', 'by another name'],
    ['text/plain', 'text'],
    ['application/json', 'json'],
    ['APPLICATION/JSON', 'json', 'in any case'],
    ['  application/json  ', 'json', 'with space around'],
    ['text/html, application/xhtml+xml, application/json', 'json', 'among others'],
    [',application/json,', 'json', 'among empty elements']
  ],
  'none where none is named': [
    ['text/html', null],
    ['image/*', null],
    ['text/event-streams', null],
    ['text/event', null],
    ['application/json+x', null]
  ],
  'the highest weight wins': [
    ['text/event-stream;q=0.1, application/json;q=0.2', 'json'],
    ['application/json;q=0.999, text/plain', 'text', 'without one it is 1'],
    ['application/json;q=0.001', 'json'],
    ['application/json; q=0.5 , text/plain;Q=0.6', 'text', 'with space, in any case'],
    ['text/plain;q=1.000, application/json;q=0.9', 'text'],
    ['text/plain;q=.2, application/json;q=0.1', 'text', 'as old clients write it'],
    ['text/html, image/gif, *; q=.2, */*; q=.2', 'sse', 'what Java says']
  ],
  'the server\'s order decides where the client does not mind': [
    ['application/json, text/plain', 'text'],
    ['application/json;q=0.5, application/x-ndjson;q=0.5', 'lines'],
    ['*/*', 'sse'],
    ['application/*', 'lines'],
    ['text/*, application/*', 'sse']
  ],
  'zero is: not this one': [
    ['text/event-stream;q=0', null],
    ['text/event-stream;q=0, */*', 'lines'],
    ['text/event-stream;q=0.0, text/*', 'text'],
    ['text/*;q=0, */*;q=0.1', 'lines'],
    ['*/*;q=0', null],
    ['*/*;q=0, application/json;q=0.1', 'json'],
    ['application/x-ndjson;q=0, application/*', 'json', 'nor by another name'],
    ['application/jsonl;q=0, application/*', 'json', 'whichever was named']
  ],
  'the most specific range has precedence': [
    ['text/*;q=0.3, text/plain;q=0.7, */*;q=0.5', 'text'],
    ['text/*, text/event-stream;q=0.1', 'text'],
    ['text/plain, */*;q=0.9, text/*;q=0.1', 'text'],
    ['text/*;q=0.1, */*', 'lines'],
    ['application/jsonl;q=0.2, application/*;q=0.9', 'json']
  ],
  parameters: [
    ['text/event-stream;charset=utf-8', 'sse', 'what only repeats what is so is no hindrance'],
    ['application/json;profile="a,b;q=0"', 'json', 'a quoted one may hold anything'],
    ['application/json;profile="a\\",text/plain;q=0.1";q=0.3, text/plain;q=0.2', 'json', 'even quotes'],
    ['text/plain;format=flowed;q=0.2, application/json;q=0.1', 'text', 'the weight comes behind them'],
    ['text/event-stream;q=0.2, text/event-stream;v=2, application/json;q=0.5', 'json', 'what we do not have does not count where the type itself is named'],
    ['text/plain;q=0.5;level=1, application/json;q=0.4', 'text', 'nor does what old clients put behind the weight']
  ],
  'what can\'t be understood is as good as unsaid': [
    ['json', 'sse'],
    ['*', 'sse'],
    ['/', 'sse'],
    ['text/', 'sse'],
    ['/json', 'sse'],
    ['application/json;q=high', 'json'],
    ['application/json;q=', 'json'],
    ['application/json;q=7, text/plain;q=0.5', 'json'],
    ['application/json;q=-1', 'json'],
    ['json, application/json', 'json', 'beside what can'],
    ['*/json, text/plain;q=0.1', 'text'],
    ['"unclosed, application/json', 'sse']
  ]
}

for (const [title, cases] of Object.entries(CASES)) {
  t.test(title, async (t) => {
    for (const [accept, best, why] of cases) t.equal(choose(accept), best, `${JSON.stringify(accept)}${why === undefined ? '' : `: ${why}`}`)
  })
}

t.test('of nothing there is nothing', async (t) => {
  t.equal(choose('*/*', []), null)
  t.equal(choose(undefined, []), null)
})

// The rule in other words: every range that matches, the most specific one last.
function weigh (names: string[], ranges: Array<{ range: string, weight: number }>): number {
  const [family = ''] = (names[0] as string).split('/')
  const tiers = [['*/*'], [`${family}/*`], names].map((tier) => ranges.filter(({ range }) => tier.includes(range)).map(({ weight }) => weight))
  return Math.max(0, ...tiers.filter((tier) => tier.length !== 0).at(-1) ?? [])
}

t.test('whatever is accepted, it is the best that there is', async (t) => {
  t.comment(`PASTELLI_FUZZ_SEED=${SEED}`)
  const element = fc.record({
    range: fc.constantFrom(...Object.values(NAMES).flat(), 'text/*', 'application/*', '*/*', 'text/html', 'image/*'),
    weight: fc.integer({ min: 0, max: 1_000 }).map((weight) => weight / 1_000)
  })
  const orders = fc.shuffledSubarray(CHOICES, { minLength: 1 })
  fc.assert(fc.property(fc.array(element, { minLength: 1, maxLength: 6 }), orders, (ranges, choices) => {
    const best = choose(ranges.map(({ range, weight }) => `${range};q=${weight}`).join(', '), choices)
    const weights = choices.map((choice) => weigh(NAMES[choice] as string[], ranges))
    const highest = Math.max(...weights)
    return best === (highest === 0 ? null : choices[weights.indexOf(highest)])
  }), { numRuns: 20_000, seed: SEED })
  t.pass(`with seed ${SEED}`)
})

const CODINGS = ['gzip', 'br', 'zstd'] as const

t.test('a coding that is named, and not before the text as it is', async (t) => {
  const CASES: Array<[acceptEncoding: string, best: string | null, why?: string]> = [
    ['gzip, deflate, br, zstd', 'gzip', 'what browsers say'],
    ['br', 'br'],
    ['X-GZip', 'gzip', 'by its old name, in any case'],
    ['gzip;q=0.1, br;q=0.2', 'br'],
    ['br;q=0.2 , gzip ; Q=0.1', 'br'],
    ['gzip;q=x', 'gzip', 'a weight that is none'],
    ['*', 'gzip'],
    ['*;q=0', null],
    ['*;q=0, zstd', 'zstd'],
    ['gzip;q=0, br;q=0, *', 'zstd'],
    ['gzip;q=0', null],
    ['identity', null],
    ['identity, gzip', 'gzip', 'it does not mind'],
    ['identity, gzip;q=0.9', null],
    ['identity;q=0, *;q=0', null, 'there is nothing else'],
    ['compress, deflate', null],
    ['gzipped', null],
    ['', null],
    [',;,', null]
  ]
  for (const [header, best, why = ''] of CASES) t.equal(preferredCoding(header, CODINGS), best, `${header} ${why}`)
  t.equal(preferredCoding('gzip, br', ['zstd', 'br', 'gzip']), 'br', 'the server\'s order')
  t.equal(preferredCoding('gzip', []), null)
})

t.test('any text is read, and in no time', async (t) => {
  t.comment(`PASTELLI_FUZZ_SEED=${SEED}`)
  const text = fc.string({ unit: fc.constantFrom(...'aq=/*,;"\\ .01\t', 'text', 'text/plain', ';q='), maxLength: 40 })
  fc.assert(fc.property(text, (accept) => [...CHOICES, null].includes(choose(accept))), { numRuns: 20_000, seed: SEED })
  const began = performance.now()
  for (const piece of ['"', '\\"', '"\\"', ',', ';', 'a/b,', ';q', 'text/plain;q=0.1,', ' ', '*/*;"']) {
    choose(piece.repeat(16_384 / piece.length))
    choose('"' + piece.repeat(16_384 / piece.length))
    preferredCoding(piece.repeat(16_384 / piece.length), CODINGS)
  }
  t.ok(performance.now() - began < 2_000, `${Math.round(performance.now() - began)} ms for 20 headers as long as Node takes them`)
})
