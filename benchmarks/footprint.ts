/** What an install adds to an app that has Fastify, beside the peers; `--write` puts it into the README. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { broughtBy, describe } from './installed.ts'
import { QUOTED, row, writeRows } from './readme.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MODULES = join(ROOT, 'node_modules')

const { values: { write } } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
const rows = measure()
for (const row of rows) console.log(row)
if (write) writeRows(rows)

function measure (): string[] {
  const there = broughtBy(join(MODULES, 'fastify'))
  const columns = [{ folder: ROOT, own: packed() }, ...QUOTED.map((name) => ({ folder: join(MODULES, name), own: describe(join(MODULES, name)).bytes }))]
    .map(({ folder, own }) => ({ own, added: [...broughtBy(folder)].filter(([place]) => !there.has(place)).map(([, { bytes }]) => bytes) }))
  return [
    row('packages that it adds to Fastify\'s', columns.map(({ added }) => String(added.length + 1))),
    row('what they take on disk', columns.map(({ own, added }) => megabytes(added.reduce((sum, bytes) => sum + bytes, own))))
  ]
}

/** What npm would publish. */
function packed (): number {
  const told = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, NODE_OPTIONS: '' } })
  return JSON.parse(told)[0].unpackedSize
}

function megabytes (bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
