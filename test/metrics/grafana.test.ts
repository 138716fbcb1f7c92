/** The dashboard asks only for what there is, and shows all of it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import t from 'tap'
import metrics from '../../metrics/prometheus.ts'
import { locate, without } from '../support/programs.ts'
import { build } from '../support/server.ts'

interface Target { expr: string, legendFormat: string }
interface Variable { name: string, query: string | { query: string } }
interface Dashboard { panels: Array<{ title: string, targets: Target[] }>, templating: { list: Variable[] } }

// Prometheus adds them to everything that it scrapes.
const ADDED = ['instance', 'job']
const PROMTOOL = ['promtool']

const dashboard: Dashboard = JSON.parse(readFileSync(new URL('../../../metrics/grafana.json', import.meta.url), 'utf8'))
const targets = dashboard.panels.flatMap(({ targets }) => targets)
const names = dashboard.templating.list.map(({ name }) => name)

// What a registry has, with the labels of each: of a histogram, what is stored of it.
async function series (registry: Registry): Promise<Map<string, string[]>> {
  const all = registry.getMetricsAsArray() as unknown as Array<{ name: string, labelNames: string[], constructor: { name: string } }>
  return new Map(all.flatMap(({ name, labelNames, constructor }): Array<[string, string[]]> => constructor.name === 'Histogram'
    ? [[`${name}_bucket`, [...labelNames, 'le']], [`${name}_sum`, labelNames], [`${name}_count`, labelNames]]
    : [[name, labelNames]]))
}

// The metrics of a query with the labels that it selects by.
function selected (expr: string): Array<{ name: string, labels: string[] }> {
  return [...expr.matchAll(/(\w*pastelli\w*)(?:\{([^}]*)\})?/g)].map(([, name = '', selector = '']) => ({ name, labels: [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) }))
}

function grouped (expr: string): string[] {
  return [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(',').map((label) => label.trim()))
}

await t.test('every metric and every label that it asks for is there', async (t) => {
  const registry = new Registry()
  await build(t, async (app) => { await app.register(metrics, { registers: [registry] }) })
  const known = await series(registry)
  t.ok(targets.length > 20)
  const asked = new Set<string>()
  for (const { expr, legendFormat } of targets) {
    const found = selected(expr)
    t.equal(found.length, 1, expr)
    for (const { name, labels } of found) {
      asked.add(name.replace(/_bucket$/, ''))
      const all = known.get(name)
      t.ok(all !== undefined, `${name} is registered`)
      t.same([...labels, ...grouped(expr)].filter((label) => all?.includes(label) !== true && !ADDED.includes(label)), [], expr)
    }
    t.same([...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label).filter((label) => !grouped(expr).includes(label)), [], `${expr}: ${legendFormat}`)
    t.same([...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name).filter((name) => !names.includes(name) && name !== '__rate_interval'), [], 'its variables are declared')
  }
  for (const { query } of dashboard.templating.list.slice(1)) {
    const [, name = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec((query as { query: string }).query) ?? []
    t.ok(known.get(name)?.includes(label) === true || ADDED.includes(label), `${name}, ${label}`)
  }
  const all = (registry.getMetricsAsArray() as unknown as Array<{ name: string }>).map(({ name }) => name)
  t.same([...asked].sort(), all.sort(), 'and none is left out')
})

await t.test('what the check reads a query by finds what is wrong', async (t) => {
  t.same(selected('sum by (a) (rate(pastelli_x_total{b=~"$b", c!="1"}[1m])) / my_pastelli_y'), [{ name: 'pastelli_x_total', labels: ['b', 'c'] }, { name: 'my_pastelli_y', labels: [] }])
  t.same(grouped('sum by (le, route) (x) + max by (y) (z)'), ['le', 'route', 'y'])
})

await t.test('Prometheus understands every query', { skip: without('CHECKED BY PROMETHEUS', PROMTOOL, 'prometheus') }, async (t) => {
  const rules = targets.map(({ expr }, i) => ({ record: `query_${i}`, expr: expr.replaceAll('$__rate_interval', '1m') }))
  const folder = t.testdir({ 'rules.yml': JSON.stringify({ groups: [{ name: 'dashboard', rules }] }) })   // JSON is YAML
  t.match(execFileSync(locate(PROMTOOL), ['check', 'rules', join(folder, 'rules.yml')], { encoding: 'utf8' }), `SUCCESS: ${rules.length} rules found`)
})
