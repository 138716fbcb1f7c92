/** What the client weighs for a page, without the parser. */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import ts from 'typescript'

const CLIENT = new URL('../../client/', import.meta.url)

// Not minified, since nothing that is installed can: as it is compiled, without comments; `shared` with all that it shares with the other.
// 5,831 and 6,962 bytes in 2026-11; 4,295 and 5,090 as esbuild 0.17 bundles and minifies them, 3,681 without WebSockets.
const LIMITS = { index: 5_900, shared: 7_000 }

for (const [entry, limit] of Object.entries(LIMITS)) {
  await t.test(`${entry} is no more than ${limit} bytes, gzipped`, async (t) => {
    const size = gzipSync([...load(`${entry}.js`)].join(''), { level: 9 }).length
    t.ok(size <= limit && size > limit / 2, `${size} bytes`)
  })
}

// A file and all that it imports of the client, once each.
function load (file: string, loaded = new Map<string, string>()): Iterable<string> {
  if (loaded.has(file)) return loaded.values()
  const code = ts.transpileModule(readFileSync(new URL(file, CLIENT), 'utf8'), {
    compilerOptions: { removeComments: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  }).outputText
  loaded.set(file, code)
  for (const [, imported] of code.matchAll(/from '\.\/([^']+)'/g)) load(imported as string, loaded)
  return loaded.values()
}
