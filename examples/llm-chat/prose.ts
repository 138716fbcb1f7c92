/** What somebody says who has read nothing but boxes of crayons: sentences from a grammar, by a seeded choice. */
import type { Message } from './model.ts'

type Grammar = Readonly<Record<string, readonly string[]>>

const GRAMMAR: Grammar = {
  answer: [
    '#opening# #body#\n\n#recipe# #advice#\n\n#closing#',
    '#opening# #body#\n\n#advice# #recipe#\n\n#closing#',
    '#opening# #aside#\n\n#body# #recipe#\n\n#advice# #closing#'
  ],
  again: [
    'And #topic#, then. #body#\n\n#recipe# #advice#\n\n#closing#',
    'Let me turn the sheet over. #Topic# goes on the back of it. #body# #recipe#\n\n#advice# #closing#'
  ],
  opening: [
    '#Topic#, if you ask me, begins in #colour#.',
    'I have never seen #topic# myself, I live in a box; but I would reach for #colour#.',
    'That is a #colour# sort of question.',
    'Everybody draws #topic# in #colour#, and everybody is nearly right.'
  ],
  body: [
    'Press softly at first and let the paper do half of the work. Where two strokes cross there is a third #kind# that nobody chose, and that is where #topic# starts to look back at you.',
    'Lay it on broadside, without an outline: an outline is a promise, and #topic# keeps none. Then go over it with a little #colour#, so thin that you could still read a letter through it.',
    'Start in the middle and stay away from the edges. #Topic# needs room to be larger than the sheet. Under it goes #colour#, rubbed in with a thumb until it forgets that it was a line.'
  ],
  aside: [
    'People will tell you that it is a matter of shape. It is a matter of what lies next to it.',
    'The trick is not to look at it for too long. Look, look away, and draw what is left.'
  ],
  recipe: [
    'My recipe: three parts #colour#, one part #colour#, and a single stroke of #colour# that is no longer than a fingernail.',
    'Take #colour# for the light and #colour# for the shade. Keep black in the box: the dark of #topic# is only #colour# that was leaned on.',
    'Two layers of #colour#, a night’s sleep, then #colour# wherever you yawned.'
  ],
  advice: [
    'If it goes wrong, it is probably finished.',
    'Blunt crayons are kinder than sharp ones.',
    'Somebody will say that it looks like something else. Thank them, and add a little #colour#.',
    'Do not peel the paper off the crayon to go faster. It is wearing that for a reason.'
  ],
  closing: [
    'That is all I know of #topic#. The rest is wax.',
    'Hang it where the sun does not reach it, and it will stay #topic# for years.',
    'And if you leave in the middle of this sentence and come back, it will still end here.'
  ],
  colour: ['mint', 'peach', 'lilac', 'sky blue', 'butter', 'rose', 'lagoon', 'violet', 'pistachio', 'coral'],
  kind: ['colour', 'green', 'grey', 'warmth']
}

// Words that are never what a question is about.
const SMALL = new Set(('a about an and are as at be but by can colour could do does draw drawing for from give has have how i if in is it its like ' +
  'make many me much my of on one or please should show so some tell that the their them there they think this to us want was we what when where which ' +
  'who why will with would you your').split(' '))

/** The answer to the last message of the user; the same conversation gets the same one. */
export function compose (messages: readonly Message[]): string {
  const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content)
  const random = generator(questions.join('\n'))
  return expand(questions.length > 1 ? 'again' : 'answer', topicOf(questions.at(-1) ?? ''), random)
}

function expand (rule: string, topic: string, random: () => number): string {
  const spent = new Map<string, string[]>()
  // Nothing is said twice before all of its kind was said.
  const pick = (name: string): string => {
    let left = spent.get(name) ?? []
    if (left.length === 0) left = [...GRAMMAR[name] as readonly string[]]
    const [picked = ''] = left.splice(Math.floor(random() * left.length), 1)
    spent.set(name, left)
    return picked
  }
  const grow = (text: string): string => text.replace(/#(\w+)#/g, (_match, name: string) => {
    if (name === 'topic') return topic
    if (name === 'Topic') return topic.charAt(0).toUpperCase() + topic.slice(1)
    return grow(pick(name))
  })
  return grow(pick(rule))
}

// The longest word says the most.
function topicOf (question: string): string {
  const words = question.toLowerCase().match(/[\p{L}\p{N}-]+/gu) ?? []
  const telling = words.filter((word) => !SMALL.has(word))
  return telling.reduce((best, word) => word.length > best.length ? word : best, '').slice(0, 40) || 'that'
}

// FNV-1a for the seed, mulberry32 for the numbers.
function generator (text: string): () => number {
  let state = 2166136261
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 16777619)
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
