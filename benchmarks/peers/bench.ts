/**
 * Pastelli and its peers, side by side: `npm run bench`. Writes RESULTS.md, its charts, and the figures that the README quotes. A run in which one
 * event is missing, out of order or there twice does not count, and the exit code is 1.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { writeRows } from '../readme.ts'
import { CHARTS, draw } from './charts.ts'
import { measure } from './measure.ts'
import { PEERS, ROOT } from './peers.ts'
import { quotesOf } from './quotes.ts'
import { render } from './report.ts'
import { conditionsOf, load, type Results, save } from './results.ts'
import { QUICK, testsOf } from './tests.ts'

const HOME = join(ROOT, 'benchmarks')

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: PEERS.map(({ name }) => name).join() },
    tests: { type: 'string', default: Object.keys(testsOf(1)).join() },
    rounds: { type: 'string' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false }
  }
})

const tests = testsOf(values.quick ? QUICK : 1)
const peers = choose('peers', values.peers, PEERS.map(({ name }) => name))
const chosen = choose('tests', values.tests, Object.keys(tests))
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
const isWhole = peers.length === PEERS.length && chosen.length === Object.keys(tests).length && !values.quick
const folder = values.out !== undefined ? resolve(values.out) : isWhole || values.render ? HOME : null

const results = values.render ? load(folder as string) : await run()
if (folder !== null) write(folder, results)
console.log(render(results))
process.exitCode = results.runs.some(({ fault }) => fault !== undefined) ? 1 : 0

/** In this order, so that a peer stands beside the others in time, and a whole round beside the next. */
async function run (): Promise<Results> {
  const results: Results = { conditions: conditionsOf({ isQuick: values.quick, rounds, peers, tests: chosen }), runs: [] }
  const began = performance.now()
  for (let round = 0; round < rounds; round++) {
    for (const [name, test] of Object.entries(tests).filter(([name]) => chosen.includes(name))) {
      for (const { name: peer, program } of PEERS.filter(({ name }) => peers.includes(name))) {
        const found = await measure(test, program)
        results.runs.push({ test: name, peer, round, ...found })
        const told = found.fault ?? Object.entries(found.figures ?? {}).map(([figure, value]) => `${figure} ${value}`).join(', ')
        console.error(`${((performance.now() - began) / 1_000).toFixed(0)} s: round ${round + 1}, ${name}, ${peer}: ${told}; others ${found.others ?? 'unknown'}`)
      }
    }
    if (folder !== null) write(folder, results)
  }
  return results
}

function write (folder: string, results: Results): void {
  const charts = join(folder, 'charts')
  mkdirSync(charts, { recursive: true })
  save(folder, results)
  writeFileSync(join(folder, 'RESULTS.md'), render(results))
  for (const chart of CHARTS) {
    const svg = draw(results, chart)
    if (svg !== null) writeFileSync(join(charts, `${chart.file}.svg`), svg)
  }
  if (folder === HOME) writeRows(quotesOf(results))
}

function choose (option: string, list: string, known: string[]): string[] {
  const found = list.split(',')
  const unknown = found.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`--${option} has ${unknown}, which is none of ${known.join(', ')}`)
  return known.filter((name) => found.includes(name))
}
