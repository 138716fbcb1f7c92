/** The documents of this repository: those whose code is checked, and all whose links are. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Markdown, readMarkdown } from './markdown.ts'

export interface Document extends Markdown {
  /** From the root. */
  path: string
}

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

// What is installed, built, or made from docstrings.
const SKIP = new Set(['node_modules', 'dist', 'docs/api'])

/** All of them. */
export const allDocuments: readonly Document[] = find('')

/** Those of which every block of code is checked. */
export const documents = allDocuments.filter(({ path }) => /^(README|CONTRIBUTING|cli\/README)\.md$|^docs\//.test(path))

function find (folder: string): Document[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.name.startsWith('.') || SKIP.has(entry.name) || SKIP.has(path)) return []
    if (entry.isDirectory()) return find(path)
    return entry.name.endsWith('.md') ? [read(path)] : []
  })
}

function read (path: string): Document {
  try {
    return { path, ...readMarkdown(readFileSync(join(ROOT, path), 'utf8')) }
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`)
  }
}
