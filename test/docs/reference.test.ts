/** The reference, which `npm run docs:api` makes, has all that can be imported. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { ROOT } from '../support/documents.ts'

interface Manifest { exports: Record<string, string | { types: string }> }
interface Sources { entryPoints?: string[], files?: string[] }

t.test('every entry of the package is in the reference', async (t) => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  const entries = Object.values(exports).flatMap((target) => typeof target === 'string' ? [] : [target.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, '$1.ts')]).sort()
  t.ok(entries.includes('index.ts'))
  t.same(read('typedoc.json').entryPoints?.sort(), entries)
  t.same(read('docs/tsconfig.json').files?.map((file) => file.replace('../', '')).sort(), entries)
})

function read (path: string): Sources {
  return ts.parseConfigFileTextToJson(path, readFileSync(join(ROOT, path), 'utf8')).config
}
