/** The metrics of the apps that share a registry of prom-client. */
import { Counter, Gauge, Histogram, type Metric as Registered, type OpenMetricsContentType, type PrometheusContentType, type Registry } from 'prom-client'
import { DURATION, type Distribution, LATENCY, METRICS, type Metric } from '../catalogue.ts'
import { type App, Tally } from '../tally.ts'

export type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>

// By prefix.
const expositions = new WeakMap<AnyRegistry, Map<string, Exposition>>()

export class Exposition {
  readonly #registry: AnyRegistry
  readonly #prefix: string
  readonly #tally: Tally
  // By the names that they were made with: one registry of OpenMetrics changes those of its counters.
  readonly #metrics: ReadonlyMap<string, Registered>

  constructor (registry: AnyRegistry, prefix: string) {
    this.#registry = registry
    this.#prefix = prefix
    const duration = this.#histogram(DURATION)
    const latency = this.#histogram(LATENCY)
    const latencies = latency.labels()   // a third less than to ask it each time (2026-11)
    this.#tally = new Tally({
      ended: (route, seconds) => { duration.observe({ route }, seconds) },
      delivered: (seconds) => { latencies.observe(seconds) }
    })
    const read = METRICS.map((metric) => [prefix + metric.name, this.#gauge(metric)] as const)
    this.#metrics = new Map<string, Registered>([...read, [prefix + DURATION.name, duration], [prefix + LATENCY.name, latency]])
  }

  /** The one that is there, or a new one. */
  static in (registry: AnyRegistry, prefix: string): Exposition {
    return expositions.get(registry)?.get(prefix) ?? new Exposition(registry, prefix)
  }

  /** Whether somebody else has registered a metric with the name of one of these. */
  get isBarred (): boolean {
    return [...this.#metrics].some(([name, metric]) => ![undefined, metric].includes(this.#registry.getSingleMetric(name)))
  }

  join (app: App): void {
    this.#tally.join(app)
    for (const metric of this.#metrics.values()) this.#registry.registerMetric(metric)   // also if the app has cleared it meanwhile
    const others = expositions.get(this.#registry)
    if (others === undefined) expositions.set(this.#registry, new Map([[this.#prefix, this]]))
    else others.set(this.#prefix, this)
  }

  leave (app: App): void {
    if (!this.#tally.leave(app)) return
    expositions.get(this.#registry)?.delete(this.#prefix)
    for (const name of this.#metrics.keys()) this.#registry.removeSingleMetric(name)
  }

  #gauge (metric: Metric): Counter | Gauge {
    const { kind, read } = metric
    const labels = Object.keys(metric.labels)
    const tally = () => this.#tally
    const collect = async function (this: Counter | Gauge) {
      const samples = read(await tally().snapshot())
      this.reset()
      for (const [values, value] of samples) this.inc(Object.fromEntries(labels.map((label, i) => [label, values[i] as string])), value)
    }
    const configuration = { ...this.#configuration(metric), aggregator: kind === 'peak' ? 'max' : 'sum', collect } as const
    return kind === 'total' ? new Counter(configuration) : new Gauge(configuration)
  }

  #histogram (distribution: Distribution): Histogram {
    return new Histogram({ ...this.#configuration(distribution), buckets: [...distribution.bounds] })
  }

  #configuration ({ name, help, labels }: Metric | Distribution): { name: string, help: string, labelNames: string[], registers: [] } {
    return { name: this.#prefix + name, help, labelNames: Object.keys(labels), registers: [] }
  }
}
