/** docs/metrics.md lists what there is, as it is. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { DURATION, LATENCY, METRICS } from '../../metrics/catalogue.ts'
import { documents, ROOT } from '../support/documents.ts'
import { locate, without } from '../support/programs.ts'

const TYPES = { total: 'counter', level: 'gauge', peak: 'gauge' }
const PROMTOOL = ['promtool']

// The cells of the rows whose first one is code that begins so.
function rows (beginning: string): string[][] {
  const lines = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8').split('\n').filter((line) => line.startsWith(`| \`${beginning}`))
  return lines.map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))
}

function code (texts: readonly string[]): string {
  return texts.map((text) => `\`${text}\``).join(', ')
}

// The channels by name, with what their messages have beside what says whose they are.
function channels (): Map<string, string[]> {
  const source = ts.createSourceFile('diagnostics.ts', readFileSync(join(ROOT, 'lib/diagnostics.ts'), 'utf8'), ts.ScriptTarget.Latest, true)
  const found = new Map<string, string[]>()
  const fieldsOf = (node: ts.Node): string[] => [...(ts.isPropertySignature(node) ? [node.name.getText()] : []), ...children(node).flatMap(fieldsOf)]
  for (const node of source.statements) {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== 'DiagnosticsMessages') continue
    for (const member of node.members as ts.NodeArray<ts.PropertySignature>) found.set((member.name as ts.StringLiteral).text, fieldsOf(member.type as ts.TypeNode))
  }
  return found
}

function children (node: ts.Node): ts.Node[] {
  const found: ts.Node[] = []
  ts.forEachChild(node, (child) => { found.push(child) })
  return found
}

t.test('every metric is listed, with its type, labels, name in OpenTelemetry and help', async (t) => {
  const all = [...METRICS.map(({ kind, ...metric }) => ({ type: TYPES[kind], ...metric })), ...[DURATION, LATENCY].map((metric) => ({ type: 'histogram', ...metric }))]
  t.same(rows('pastelli_'), all.map(({ type, name, labels, instrument, help }) => [code([`pastelli_${name}`]), type, code(Object.keys(labels)), code([instrument]), help]))
})

t.test('every attribute of OpenTelemetry is named', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const sources = ['catalogue.ts', 'opentelemetry/spans.ts'].map((path) => readFileSync(join(ROOT, 'metrics', path), 'utf8')).join('\n')
  const names = new Set([...sources.matchAll(/'((?:pastelli|http)\.[a-z.]+)'/g)].map(([, name = '']) => name))
  t.ok(names.size > 20)
  t.same([...names].filter((name) => !text.includes(`\`${name}\``)), [])
})

t.test('every channel is listed, with what is in its messages', async (t) => {
  const found = channels()
  t.ok(found.size > 0)
  const listed = rows('pastelli:')
  t.same(listed.map(([name]) => name), [...found.keys()].map((name) => code([name])))
  for (const [index, fields] of [...found.values()].entries()) {
    for (const field of fields) t.ok(listed[index]?.[2]?.includes(`\`${field}\``), `${listed[index]?.[0]}: ${field}`)
  }
})

t.test('Prometheus takes the alerts, which ask for what there is', { skip: without('CHECKED BY PROMETHEUS', PROMTOOL, 'prometheus') }, async (t) => {
  const rules = documents.find(({ path }) => path === 'docs/metrics.md')?.blocks.find(({ language }) => language === 'yaml')?.code ?? ''
  const folder = t.testdir({ 'rules.yml': rules })
  t.match(execFileSync(locate(PROMTOOL), ['check', 'rules', join(folder, 'rules.yml')], { encoding: 'utf8' }), /SUCCESS: [1-9]\d* rules found/)
  const asked = [...rules.matchAll(/\bpastelli_(\w+?)(?:_bucket)?\b(?=[[{)])/g)].map(([, name = '']) => name)
  t.ok(asked.length > 3)
  t.same(asked.filter((name) => ![...METRICS, LATENCY].some((metric) => metric.name === name)), [])
})
