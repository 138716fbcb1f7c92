/** What tests need of a Markdown document: its code blocks with what is said of them in comments, its links, its anchors. */

/** A comment right before a block, which readers don't see: `<!-- name: text -->`. */
export interface Directive {
  name: string
  /** May have several lines. */
  text: string
  /** The line on which the text begins, from 1. */
  line: number
}

export interface Block {
  /** Of an indented block: `sh`. */
  language: string
  code: string
  /** The line of its first line of code, from 1. */
  line: number
  directives: readonly Directive[]
}

export interface Link {
  target: string
  line: number
}

export interface Markdown {
  blocks: readonly Block[]
  /** Code within the text. */
  spans: readonly string[]
  links: readonly Link[]
  /** What may stand behind a `#`. */
  anchors: ReadonlySet<string>
}

const FENCE = /^( *)(`{3,}|~{3,})(.*)$/
const COMMENT = /^<!-- *(\w+)(?:: ?|(?= *(?:\n|-->)))([^]*?) *-->$/
const LINK = /!?\[(?:[^[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)|<(?:a|img)\b[^>]*? (?:href|src)="([^"]+)"/gm

/** @throws for a fence or a comment that has no end, and for a comment before a block that says nothing */
export function readMarkdown (source: string): Markdown {
  const lines = source.split('\n')
  const blocks: Block[] = []
  const prose = [...lines]   // without code and comments
  const anchors = new Set<string>()
  let directives: Directive[] = []
  let isBetween = true       // an indented line continues a paragraph or a list unless it stands alone

  const take = (from: number, to: number) => {
    prose.fill('', from, to)
    return lines.slice(from, to)
  }
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string
    const fence = FENCE.exec(line)
    if (fence !== null) {
      const [, indent, marks, info] = fence as unknown as [string, string, string, string]
      const end = endOf(lines, at, (candidate) => candidate.trim() === marks)
      const code = take(at, end + 1).slice(1, -1).map((text) => text.slice(indent.length)).join('\n')
      blocks.push({ language: info.trim(), code, line: at + 2, directives })
      directives = []
      at = end
      isBetween = true
    } else if (line.startsWith('<!--')) {
      const end = endOf(lines, at - 1, (candidate) => candidate.endsWith('-->'))
      directives.push(directiveOf(take(at, end + 1).join('\n'), at + 1))
      at = end
    } else if (isBetween && line.startsWith('    ')) {
      const end = lines.findIndex((candidate, index) => index > at && !candidate.startsWith('    '))
      blocks.push({ language: 'sh', code: take(at, end).map((text) => text.slice(4)).join('\n'), line: at + 1, directives })
      directives = []
      at = end - 1
    } else {
      const heading = /^#{1,6} +(.*?) *$/.exec(line)
      if (heading !== null) addAnchor(anchors, heading[1] as string)
      if (line !== '' && directives.length !== 0) throw new Error(`line ${at}: a comment that belongs to no block`)
      isBetween = heading !== null || (line === '' && (isBetween || !isListed(prose, at)))
    }
  }
  const text = prose.join('\n')
  return { blocks, anchors, spans: [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string), links: linksOf(text) }
}

function endOf (lines: readonly string[], start: number, isEnd: (line: string) => boolean): number {
  const end = lines.findIndex((line, index) => index > start && isEnd(line))
  if (end === -1) throw new Error(`line ${start + 1}: what begins here has no end`)
  return end
}

function directiveOf (comment: string, line: number): Directive {
  const [, name, text] = COMMENT.exec(comment) ?? []
  if (name === undefined || text === undefined) throw new Error(`line ${line}: not <!-- name --> or <!-- name: text -->`)
  const isBelow = text.startsWith('\n')
  return { name, text: isBelow ? text.slice(1) : text, line: isBelow ? line + 1 : line }
}

// Whether the last paragraph belongs to a list.
function isListed (prose: readonly string[], at: number): boolean {
  for (let before = at - 1; before >= 0 && prose[before] !== ''; before--) if (/^ *([-*]|\d+\.) /.test(prose[before] as string)) return true
  return false
}

// As GitHub makes them.
function addAnchor (anchors: Set<string>, heading: string): void {
  const slug = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-')
  let anchor = slug
  for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`
  anchors.add(anchor)
}

function linksOf (prose: string): Link[] {
  const plain = prose.replace(/`[^`]*`/g, (code) => code.replace(/[^\n]/g, ' '))
  return [...plain.matchAll(LINK)].map(({ index, 1: inline, 2: reference, 3: html }) => ({
    target: (inline ?? reference ?? html) as string,
    line: plain.slice(0, index).split('\n').length
  }))
}
