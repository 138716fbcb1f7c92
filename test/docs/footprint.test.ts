/** What the README says of an install's size is what there is. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../support/documents.ts'

t.test('the README has what an install adds, as the program measures it', async (t) => {
  const rows = execFileSync(process.execPath, [join(ROOT, 'dist/benchmarks/footprint.js')], { encoding: 'utf8' }).trim().split('\n')
  t.equal(rows.length, 2)
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n')
  for (const row of rows) t.ok(readme.includes(row), `${row}: node dist/benchmarks/footprint.js --write puts it there`)
})
