/** Rows of the README's table against peers that have figures in them: a program writes them, a test compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))

/** As the columns of that table, behind Pastelli's own. */
export const QUOTED = ['@fastify/sse', 'fastify-sse-v2', 'better-sse']

export function row (name: string, cells: string[]): string {
  return `| ${[name, ...cells].join(' | ')} |`
}

/** Each in the place of the one that begins alike. */
export function writeRows (rows: string[]): void {
  writeFileSync(README, rows.reduce(replaceRow, readFileSync(README, 'utf8')))
}

function replaceRow (text: string, row: string): string {
  const head = row.slice(0, row.indexOf(' | ') + 3)
  const line = text.split('\n').find((line) => line.startsWith(head))
  if (line === undefined) throw new Error(`the README has no row ${head}`)
  return text.replace(line, row)
}
