/** What the client weighs for a page, without the parser. */
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import ts from 'typescript'

const CLIENT = new URL('../../client/', import.meta.url)

// Not minified, since nothing that is installed can: as it is compiled, without comments. 5,712 bytes in 2026-11.
const LIMIT = 5_800

await t.test(`the client is no more than ${LIMIT} bytes, gzipped`, async (t) => {
  const files = readdirSync(CLIENT).filter((file) => file.endsWith('.js'))
  t.ok(files.includes('index.js'))
  const code = files.map((file) => ts.transpileModule(readFileSync(new URL(file, CLIENT), 'utf8'), {
    compilerOptions: { removeComments: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  }).outputText).join('')
  const size = gzipSync(code, { level: 9 }).length
  t.ok(size <= LIMIT, `${size} bytes`)
})
