/** RESULTS.md: all of it comes from results, nothing is written by hand. */
import { CHARTS } from './charts.ts'
import { grouped, type Format, kibibytes, mebibytes, microseconds, milliseconds, perSecond, whole } from './figures.ts'
import { isDisturbed, peersOf, type Results, summary } from './results.ts'
import type { Figure } from './stage.ts'
import { QUICK, testsOf } from './tests.ts'

interface Column {
  head: string
  test: string
  figure: Figure
  format: Format
}

interface Section {
  title: string
  text: string
  chart?: string
  columns: Column[]
}

const FANS: Array<[head: string, test: string]> = [['100 connections', 'fan-out-100'], ['1,000', 'fan-out-1000'], ['5,000', 'fan-out-5000'], ['1,000, bursts of 16', 'burst']]
const TOKENS: Array<[head: string, test: string]> = [['1 response', 'tokens-1'], ['50', 'tokens-50'], ['50, one event a turn', 'tick-50']]

const columns = (tests: Array<[string, string]>, figure: Figure, format: Format): Column[] => tests.map(([head, test]) => ({ head, test, figure, format }))

const SECTIONS: Section[] = [
  {
    title: 'CPU of a delivered event',
    text: 'µs of the server process, all its threads, for one event at one client. The publisher gives one event, or 16, in each turn of the event loop, and none while a client has 16 KiB before it. A pass of Pastelli over many connections takes several turns, and who is reached later gets more events in one write: that is why a delivery costs less there. In the last column, 20 events a second, each is a write of its own for all.',
    chart: 'fan-out',
    columns: columns([...FANS, ['1,000, 20 a second', 'latency']], 'cpu', microseconds)
  },
  {
    title: 'Deliveries a second',
    text: 'From the first publish until the last client has the last event. Server and clients share the work of a connection here: where the clients are at their limit, all look alike.',
    columns: columns(FANS, 'rate', perSecond)
  },
  {
    title: 'CPU of a token',
    text: 'µs of the server process for one event of a response that has many: from a generator where the library takes one, else from a loop.',
    chart: 'tokens',
    columns: columns(TOKENS, 'cpu', microseconds)
  },
  { title: 'Tokens a second', text: 'Over all responses, with the client.', columns: columns(TOKENS, 'rate', perSecond) },
  {
    title: 'Latency',
    text: 'ms from publish to receipt, over all events at all of 1,000 connections, 20 events a second. The client reads one connection after the other, which is part of it, and the same for all.',
    chart: 'latency',
    columns: [{ head: 'p50', test: 'latency', figure: 'p50', format: milliseconds }, { head: 'p99', test: 'latency', figure: 'p99', format: milliseconds }]
  },
  {
    title: 'Connections',
    text: 'KiB of resident memory of the server for an idle connection; connections that come, get an event and leave, and µs of the server\'s CPU for each of those.',
    chart: 'memory',
    columns: [
      { head: 'KiB, idle', test: 'memory', figure: 'memory', format: kibibytes },
      { head: 'come and go, 1/s', test: 'churn', figure: 'rate', format: perSecond },
      { head: 'come and go, µs', test: 'churn', figure: 'cpu', format: microseconds }
    ]
  },
  {
    title: 'Clients that never read',
    text: 'MiB by which the server grows at most while 10 MB are published to 20 clients that read and 20 that do not, and how many of the 20 it still has then. Those that read have to get everything.',
    columns: [{ head: 'MiB', test: 'stalled', figure: 'memory', format: mebibytes }, { head: 'still there', test: 'stalled', figure: 'left', format: whole }]
  }
]

export function render (results: Results): string {
  const { conditions } = results
  const sections = SECTIONS
    .map((section) => ({ ...section, columns: section.columns.filter(({ test }) => conditions.tests.includes(test)) }))
    .filter(({ columns }) => columns.length > 0)
  return [
    '# Results',
    '[How this was measured](README.md#peers), and what each server is. Medians, with the lowest and the highest; `~` stands before a figure that has only runs behind it that others disturbed, ✗ for one whose runs were all invalid.',
    ...conditions.isQuick ? ['**A quick run, with a tenth of the work: it shows that everything runs. Its figures are not to be quoted.**'] : [],
    machineOf(results),
    ...sections.flatMap((section) => sectionOf(results, section)),
    '## The tests',
    testsTable(results),
    '## The peers',
    peersTable(results),
    ...faultsOf(results)
  ].join('\n\n') + '\n'
}

function machineOf ({ conditions, runs }: Results): string {
  const known = runs.flatMap(({ others }) => others === null ? [] : [others]).sort((a, b) => a - b)
  const disturbed = runs.filter(isDisturbed).length
  const noise = known.length === 0
    ? 'not known here'
    : `others took ${(known[Math.floor(known.length / 2)] as number).toFixed(2)} cores in the median of all runs, ${(known.at(-1) as number).toFixed(2)} at most; ${disturbed} of ${runs.length} runs were disturbed (more than 0.15 cores), and count only where a peer has no other of a test`
  return table(['', ''], [
    ['date', conditions.date],
    ['machine', `${conditions.cores} × ${conditions.model}, ${conditions.memory} GiB, ${conditions.kernel}`],
    ['Node', conditions.node],
    ['cores', conditions.isPinned ? 'the server on one, its clients on another' : 'server and clients share them'],
    ['rounds', `${conditions.rounds}, peers in turn within each test`],
    ['noise', noise]
  ])
}

function sectionOf (results: Results, { title, text, chart, columns }: Section): string[] {
  const rows = peersOf(results).map(({ name }) => [name, ...columns.map((column) => cellOf(results, name, column))])
  const picture = CHARTS.find(({ file }) => file === chart)
  return [
    `## ${title}`,
    text,
    ...picture === undefined ? [] : [`![${picture.title}](charts/${picture.file}.svg)`],
    table(['', ...columns.map(({ head }) => head)], rows, '--:')
  ]
}

function cellOf ({ runs }: Results, peer: string, { test, figure, format }: Column): string {
  const found = summary(runs, test, peer, figure)
  if (found === undefined) return '✗'
  const [median, least, most] = [found.median, found.least, found.most].map(format)
  return `${found.isDisturbed ? '~' : ''}${median}${least === most ? '' : ` (${least}–${most})`}`
}

function testsTable ({ conditions }: Results): string {
  const tests = testsOf(conditions.isQuick ? QUICK : 1)
  return table(['', ''], conditions.tests.map((name) => [`\`${name}\``, (tests[name]?.what ?? '').replace(/\d{4,}/g, (digits) => grouped(Number(digits)))]))
}

function peersTable (results: Results): string {
  const { versions } = results.conditions
  return table(['', 'packages', 'what it does'], peersOf(results).map(({ name, program, packages, what }) => [
    `[${name}](${program}.ts)`, packages.map((name) => `${name} ${versions[name] ?? ''}`).join(', '), what
  ]))
}

function faultsOf ({ runs }: Results): string[] {
  const faults = runs.filter(({ fault }) => fault !== undefined)
  if (faults.length === 0) return []
  return ['## Invalid runs', table(['', '', 'round', ''], faults.map(({ test, peer, round, fault }) => [`\`${test}\``, peer, String(round + 1), fault as string]))]
}

/** @param align of all columns but the first */
function table (head: string[], rows: string[][], align: '---' | '--:' = '---'): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`.replace(/\| {2}(?=\|)/g, '| ')
  return [line(head), `|${head.map((_, i) => i === 0 ? '---' : align).join('|')}|`, ...rows.map(line)].join('\n')
}
