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

/** In the unit of the axis. */
interface Bar { median: number, least: number, most: number, label: string }

const WIDTH = 860
const BAR = 15
const THICK = 13
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
    animation: false,
    textStyle: { color: INK, fontFamily: 'sans-serif', fontSize: 13 },
    title: { text: title, left: 16, top: 12, textStyle: { color: INK, fontSize: 16 } },
    legend: { top: 40, left: 12, textStyle: { color: INK }, data: shown.map(({ name }) => name) },
    grid: { left: 120, right: 60, top: 72, bottom: 28 },
    xAxis: { type: 'value', axisLabel: { color: INK }, splitLine: { lineStyle: { color: LINE } } },
    yAxis: { type: 'category', inverse: true, data: peers, axisLabel: { color: INK, fontSize: 13 }, axisTick: { show: false }, axisLine: { lineStyle: { color: LINE } } },
    series: shown.flatMap(({ name, test, figure }, place): echarts.SeriesOption[] => {
      const bars = peers.map((peer) => barOf(summary(results.runs, test, peer, figure), format))
      const offset = (place - (shown.length - 1) / 2) * BAR
      return [
        { name, type: 'bar', barWidth: THICK, barGap: `${(BAR / THICK - 1) * 100}%`, itemStyle: { color: COLORS[place], borderRadius: [0, 4, 4, 0] }, data: bars.map(({ median }) => median) },
        { type: 'custom', z: 3, data: bars.map(({ most }, i) => [most, i]), renderItem: ({ dataIndex: i }, { coord }) => spreadOf(bars[i] as Bar, (x) => coord?.([x, i]) ?? [], offset) }
      ]
    })
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function barOf (found: Summary | undefined, format: Format): Bar {
  if (found === undefined) return { median: 0, least: 0, most: 0, label: '✗' }
  const [median, least, most] = [found.median, found.least, found.most].map((value) => Number(format(value))) as [number, number, number]
  return { median, least, most, label: format(found.median) }
}

/** A line from the lowest to the highest, and the median behind it. */
function spreadOf ({ least, most, label }: Bar, placeOf: (x: number) => number[], offset: number): echarts.CustomSeriesRenderItemReturn {
  const [from = 0] = placeOf(least)
  const [to = 0, middle = 0] = placeOf(most)
  const y = middle + offset
  return {
    type: 'group',
    children: [
      { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke: INK, lineWidth: from === to ? 0 : 1.5, opacity: 0.6 } },
      { type: 'text', style: { text: label, x: to + 6, y, verticalAlign: 'middle', fill: INK, fontSize: 11 } }
    ]
  }
}
