/** Links between the documents lead to files that are there, and to headings that are in them. */
import { existsSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import t from 'tap'
import { allDocuments, documents, ROOT } from '../support/documents.ts'

const anchors = new Map(allDocuments.map(({ path, anchors }) => [path, anchors]))

for (const { path, links } of allDocuments) {
  t.test(`the links of ${path}`, async (t) => {
    t.same(links.filter(({ target }) => !leads(path, target)).map(({ target, line }) => `${path}:${line} ${target}`), [])
  })
}

t.test('every document in docs/ can be come to from README.md', async (t) => {
  const found = new Set(['README.md'])
  for (const path of found) {
    for (const { target } of allDocuments.find((document) => document.path === path)?.links ?? []) {
      if (!isElsewhere(target)) found.add(fileOf(path, target))
    }
  }
  t.same(documents.filter(({ path }) => path.startsWith('docs/') && !found.has(path)).map(({ path }) => path), [])
})

t.test('a link that leads nowhere is found', async (t) => {
  t.notOk(leads('README.md', 'nothing.md'))
  t.notOk(leads('README.md', '#nothing'))
  t.notOk(leads('README.md', 'CONTRIBUTING.md#nothing'))
  t.notOk(leads('README.md', '../outside.md'))
  t.notOk(leads('README.md', 'http://example.com'), 'not without TLS')
  t.ok(leads('README.md', 'CONTRIBUTING.md#the-rooms'))
  t.ok(leads('benchmarks/README.md', '../LICENSE'))
})

function isElsewhere (target: string): boolean {
  return /^[a-z]+:/.test(target)
}

function fileOf (from: string, target: string): string {
  const [path = ''] = target.split('#')
  return path === '' ? from : posix.join(posix.dirname(from), path)
}

function leads (from: string, target: string): boolean {
  if (isElsewhere(target)) return URL.canParse(target) && target.startsWith('https:')
  const file = fileOf(from, target)
  if (file.startsWith('..') || !existsSync(join(ROOT, file))) return false
  const [, anchor] = target.split('#')
  return anchor === undefined || (!statSync(join(ROOT, file)).isDirectory() && anchors.get(file)?.has(anchor) === true)
}
