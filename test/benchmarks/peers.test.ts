/** The benchmark against peers, in a short form: its servers serve, its clients notice every fault, its report says what was measured. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CHARTS, draw } from '../../benchmarks/peers/charts.ts'
import { measure } from '../../benchmarks/peers/measure.ts'
import { PEERS } from '../../benchmarks/peers/peers.ts'
import { quotesOf } from '../../benchmarks/peers/quotes.ts'
import { render } from '../../benchmarks/peers/report.ts'
import { conditionsOf, load, type Results, type Run, summary } from '../../benchmarks/peers/results.ts'
import { Sequence } from '../../benchmarks/peers/sequence.ts'
import { churn, fanOut, latency, memory, stalled, type Test, testsOf, tokens } from '../../benchmarks/peers/tests.ts'
import { ROOT } from '../support/documents.ts'

// Programs that start programs, on a machine that does other things as well.
t.setTimeout(300_000)

const PATIENCE = 10_000
const TINY = { connections: 5, events: 40, warmUp: 10 }
const BOTH: Test = {
  what: 'a fan-out and tokens, of one server',
  run: async (stage) => ({ ...await fanOut(TINY).run(stage), ...await tokens(2, 50).run(stage) })
}

// Without tap's own loader, which gets into every process that a test starts.
const nodeOptions = process.env.NODE_OPTIONS
t.before(() => { delete process.env.NODE_OPTIONS })
t.teardown(() => { if (nodeOptions !== undefined) process.env.NODE_OPTIONS = nodeOptions })

t.test('every peer gives every event to every subscriber, and every token', async (t) => {
  for (const { name, program } of PEERS) {
    t.match(await measure(BOTH, program, PATIENCE), { figures: { cpu: Number, rate: Number }, fault: undefined }, name)
  }
})

const others: Array<[name: string, test: Test, figures: string[]]> = [
  ['bursts', fanOut(TINY, 16), ['cpu', 'rate']],
  ['latency', latency({ ...TINY, events: 10 }, 100), ['cpu', 'p50', 'p99']],
  ['tokens in turns of their own', tokens(2, 20, true), ['cpu', 'rate']],
  ['memory', memory(20, 5), ['memory']],
  ['churn', churn(20, 5), ['cpu', 'rate']],
  ['stalled clients', stalled(2, 20, 200), ['memory', 'left']]
]
for (const [name, test, expected] of others) {
  t.test(`the test of ${name} has its figures`, async (t) => {
    const { figures, fault } = await measure(test, 'peers/servers/pastelli', PATIENCE)
    t.equal(fault, undefined)
    t.same(Object.keys(figures ?? {}), expected)
    t.ok(Object.values(figures ?? {}).every(Number.isFinite))
  })
}

for (const [way, fault] of [['loses', /instead of/], ['disorders', /instead of/], ['repeats', /instead of/], ['breaks off', /events came/], ['ends', /it ended with 3/]] as const) {
  t.test(`a run does not count where one client has not got what it should: the server ${way}`, async (t) => {
    process.env.LOSSY = way
    const found = await measure(fanOut(TINY), '../test/benchmarks/fixtures/lossy', 500)
    t.equal(found.figures, null)
    t.match(found.fault, fault)
  })
}

t.test('events are counted however they are framed and cut', async (t) => {
  const stream = ['HTTP/1.1 200 OK\r\n\r\n', 'a\r\nretry: 1\n\n\r\n', ...Array.from({ length: 20 }, (_, n) => `1f\r\nevent:message\nid:x\ndata:{"n":${n},"at":7,"pad":"xx"}\n\n\r\n`), '0\r\n\r\n'].join('')
  for (const size of [1, 7, 100, stream.length]) {
    const sequence = new Sequence()
    for (let at = 0; at < stream.length; at += size) sequence.read(Buffer.from(stream.slice(at, at + size)))
    t.equal(sequence.events, 20)
    t.same(sequence.faults, [])
    t.ok(sequence.hasEnded)
  }
  t.equal(new Sequence().read(Buffer.from('data: {"n":0,"at":42,"pad":""}\n\n')), 42)
})

t.test('the median is that of runs that count and nobody disturbed, if there are any', async (t) => {
  const run = (cpu: number | null, others: number): Run => ({ test: 'burst', peer: 'hono', round: 0, figures: cpu === null ? null : { cpu }, others })
  t.same(summary([run(1, 0), run(3, 0.1), run(9, 1), run(null, 0)], 'burst', 'hono', 'cpu'), { median: 2, least: 1, most: 3, isDisturbed: false })
  t.same(summary([run(9, 1)], 'burst', 'hono', 'cpu'), { median: 9, least: 9, most: 9, isDisturbed: true })
  t.equal(summary([run(null, 0)], 'burst', 'hono', 'cpu'), undefined)
})

t.test('a report has a figure for each peer and test, its spread, what was disturbed and what was invalid', async (t) => {
  const results = invented()
  const report = render(results)
  t.match(report, /\| pastelli \| 5\.00 \(4\.00–6\.00\) \|/)
  t.match(report, /\| hono \| ~15\.0 \(14\.0–16\.0\) \|/)
  t.match(report, /\| node:http \| ✗ \|/)
  t.match(report, /Invalid runs[^]*`fan-out-100` \| node:http \| 1 \| 3 events came of 4/)
  for (const { packages } of PEERS) for (const name of packages) t.match(report, new RegExp(`${name} \\d+\\.\\d+`))
  for (const chart of CHARTS) {
    t.match(report, `![${chart.title}](charts/${chart.file}.svg)`)
    const svg = draw(results, chart) ?? ''
    for (const { name } of PEERS) t.match(svg, `>${name}</text>`)
    t.match(svg, 'fill="#fffaf2"', 'it brings its background')
  }
})

t.test('RESULTS.md and its charts are what the program makes of results.json, and the README quotes it', async (t) => {
  const folder = join(ROOT, 'benchmarks')
  const results = load(folder)
  t.equal(readFileSync(join(folder, 'RESULTS.md'), 'utf8'), render(results), 'node dist/benchmarks/peers/bench.js --render writes it')
  t.same(readdirSync(join(folder, 'charts')).sort(), CHARTS.map(({ file }) => `${file}.svg`).sort())
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n')
  for (const row of quotesOf(results)) t.ok(readme.includes(row), `${row}: node dist/benchmarks/peers/bench.js --render puts it there`)
})

t.test('the program writes a report of the peers and tests that it is asked for, and refuses what it does not know', async (t) => {
  const folder = t.testdir()
  const bench = (...args: string[]) => execFileSync(process.execPath, [join(ROOT, 'dist/benchmarks/peers/bench.js'), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const args = ['--peers', 'node:http,pastelli', '--tests', 'tokens-50', '--quick', '--out', folder]
  t.match(bench(...args), /\| pastelli \| [^✗]+ \|\n\| node:http \| [^✗]+ \|/)
  t.equal(load(folder).runs.length, 2)
  t.equal(readFileSync(join(folder, 'RESULTS.md'), 'utf8'), render(load(folder)))
  t.same(readdirSync(join(folder, 'charts')), ['tokens.svg'])
  t.throws(() => bench('--peers', 'nobody'))
})

/** 5 µs, ms or bytes for Pastelli, ten more for all behind it; Hono was disturbed, node:http has lost something. */
function invented (): Results {
  const tests = Object.keys(testsOf(1))
  const peers = PEERS.map(({ name }) => name)
  const runs = tests.flatMap((test) => peers.flatMap((peer) => [4, 5, 6].map((value, round): Run => {
    const others = peer === 'hono' ? 1 : 0
    if (peer === 'node:http') return { test, peer, round, figures: null, fault: '3 events came of 4', others }
    const figure = peer === 'pastelli' ? value : value + 10
    return { test, peer, round, figures: { cpu: figure, rate: figure, p50: figure, p99: figure, memory: figure, left: figure }, others }
  })))
  return { conditions: conditionsOf({ isQuick: false, rounds: 3, peers, tests }), runs }
}
