/** Charts of the results, as SVG that is read on a light page and on a dark one: each brings its background. */
import * as echarts from 'echarts'
import { type Format, kibibytes, microseconds, milliseconds } from './figures.ts'
import { peersOf, type Results, summary, type Summary } from './results.ts'
import type { Figure } from './stage.ts'

export interface Chart {
  /** Its name, without `.svg`. */
  file: string
  title: string
  bars: Array<{ name: string, test: string, figure: Figure }>
  format: Format
}

export const CHARTS: readonly Chart[] = [
  {
    file: 'fan-out',
    title: 'CPU of a delivered event, µs',
    bars: [
      { name: '100 connections', test: 'fan-out-100', figure: 'cpu' },
      { name: '1,000 connections', test: 'fan-out-1000', figure: 'cpu' },
      { name: '5,000 connections', test: 'fan-out-5000', figure: 'cpu' }
    ],
    format: microseconds
  },
  {
    file: 'tokens',
    title: 'CPU of a token, µs',
    bars: [
      { name: 'one response', test: 'tokens-1', figure: 'cpu' },
      { name: '50 responses', test: 'tokens-50', figure: 'cpu' },
      { name: '50 responses, one event a turn', test: 'tick-50', figure: 'cpu' }
    ],
    format: microseconds
  },
  {
    file: 'latency',
    title: 'From publish to receipt, 1,000 connections, 20 events a second, ms',
    bars: [{ name: 'p50', test: 'latency', figure: 'p50' }, { name: 'p99', test: 'latency', figure: 'p99' }],
    format: milliseconds
  },
  {
    file: 'memory',
    title: 'Memory of an idle connection, KiB',
    bars: [{ name: 'resident memory', test: 'memory', figure: 'memory' }],
    format: kibibytes
  }
]

const WIDTH = 860
const BAR = 15
const GAP = 14
const PAPER = '#fffaf2'
const INK = '#4b4453'
const LINE = '#e8ddd0'
const COLORS = ['#a8c8ec', '#f4b6c2', '#b5dfc3']

/** null if nothing of it was measured. */
export function draw (results: Results, { title, bars, format }: Chart): string | null {
  const peers = peersOf(results).map(({ name }) => name)
  const shown = bars.filter(({ test }) => results.conditions.tests.includes(test))
  if (shown.length === 0) return null
  const height = 100 + peers.length * (shown.length * BAR + GAP)
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  chart.setOption({
    backgroundColor: PAPER,
    color: COLORS,
    animation: false,
    textStyle: { color: INK, fontFamily: 'sans-serif', fontSize: 13 },
    title: { text: title, left: 16, top: 12, textStyle: { color: INK, fontSize: 16 } },
    legend: { top: 40, left: 12, textStyle: { color: INK }, data: shown.map(({ name }) => name) },
    grid: { left: 120, right: 60, top: 72, bottom: 28 },
    xAxis: { type: 'value', axisLabel: { color: INK }, splitLine: { lineStyle: { color: LINE } } },
    yAxis: { type: 'category', inverse: true, data: peers, axisLabel: { color: INK, fontSize: 13 }, axisTick: { show: false }, axisLine: { lineStyle: { color: LINE } } },
    series: shown.map(({ name, test, figure }) => {
      const found = peers.map((peer) => summary(results.runs, test, peer, figure))
      return { name, type: 'bar' as const, barWidth: BAR - 2, barGap: '15%', data: found.map((summary) => barOf(summary, format)) }
    })
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function barOf (found: Summary | undefined, format: Format): object {
  if (found === undefined) return { value: 0, label: { show: true, position: 'right', formatter: '✗', color: INK } }
  // As the axis counts: in the unit that the format has.
  const value = Number(format(found.median))
  return { value, itemStyle: { borderRadius: [0, 4, 4, 0] }, label: { show: true, position: 'right', formatter: format(found.median), color: INK, fontSize: 11 } }
}
