/** The instruments of the apps that share a provider of meters. */
import type { BatchObservableCallback, Histogram, Meter, MeterProvider, Observable } from '@opentelemetry/api'
import { DURATION, type Distribution, LATENCY, METRICS, type Metric } from '../catalogue.ts'
import { type App, Tally } from '../tally.ts'

const shared = new WeakMap<MeterProvider, Instruments>()

const MAKERS = { total: 'createObservableCounter', level: 'createObservableUpDownCounter', peak: 'createObservableGauge' } as const

export class Instruments {
  readonly #provider: MeterProvider
  readonly #meter: Meter
  readonly #tally: Tally
  readonly #observed: ReadonlyMap<Metric, Observable>

  readonly #observe: BatchObservableCallback = async (result) => {
    const snapshot = await this.#tally.snapshot()
    for (const [{ read, labels }, observable] of this.#observed) {
      const attributes = Object.values(labels)
      for (const [values, value] of read(snapshot)) result.observe(observable, value, Object.fromEntries(attributes.map((name, i) => [name, values[i]])))
    }
  }

  constructor (provider: MeterProvider, name: string) {
    this.#provider = provider
    this.#meter = provider.getMeter(name)
    const duration = this.#histogram(DURATION)
    const latency = this.#histogram(LATENCY)
    const { route: routeAttribute } = DURATION.labels as { route: string }
    this.#tally = new Tally({
      ended: (route, seconds) => { duration.record(seconds, { [routeAttribute]: route }) },
      delivered: (seconds) => { latency.record(seconds) }
    })
    this.#observed = new Map(METRICS.map((metric) => [metric, this.#meter[MAKERS[metric.kind]](metric.instrument, { description: metric.help, unit: metric.unit })]))
  }

  /** Those that are there, or new ones. */
  static of (provider: MeterProvider, name: string): Instruments {
    return shared.get(provider) ?? new Instruments(provider, name)
  }

  join (app: App): void {
    this.#tally.join(app)
    shared.set(this.#provider, this)
    this.#meter.addBatchObservableCallback(this.#observe, [...this.#observed.values()])   // once, however many join
  }

  leave (app: App): void {
    if (!this.#tally.leave(app)) return
    shared.delete(this.#provider)
    this.#meter.removeBatchObservableCallback(this.#observe, [...this.#observed.values()])
  }

  #histogram ({ instrument, help, unit, bounds }: Distribution): Histogram {
    return this.#meter.createHistogram(instrument, { description: help, unit, advice: { explicitBucketBoundaries: [...bounds] } })
  }
}
