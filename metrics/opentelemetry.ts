/** `pastelli/opentelemetry`: what an app's streams do, as metrics and spans of OpenTelemetry, by its API alone. */
import { type MeterProvider, metrics, trace, type TracerProvider } from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'
import type {} from '../plugins/connections.ts'
import type {} from '../plugins/topics.ts'
import { Instruments } from './opentelemetry/instruments.ts'
import { traceStreams } from './opentelemetry/spans.ts'
import { refuseOthers } from './options.ts'

/** What `app.register(opentelemetry, options)` takes. */
export interface OpenTelemetryOptions {
  /** Whether there are metrics. @default true */
  metrics?: boolean | undefined
  /** Whether each stream has a span, from open to end. @default true */
  traces?: boolean | undefined
  /** @default the global one, which has to be there before this is registered */
  meterProvider?: MeterProvider | undefined
  /** @default the global one */
  tracerProvider?: TracerProvider | undefined
}

// Of the instrumentation scope.
const NAME = 'pastelli'

async function opentelemetry (fastify: FastifyInstance, options: OpenTelemetryOptions): Promise<void> {
  check(options)
  if (options.metrics !== false) {
    const instruments = Instruments.of(options.meterProvider ?? metrics.getMeterProvider(), NAME)
    instruments.join(fastify)
    fastify.addHook('onClose', async () => { instruments.leave(fastify) })
  }
  if (options.traces !== false) {
    const end = traceStreams(fastify.connections, (options.tracerProvider ?? trace).getTracer(NAME))
    fastify.addHook('onClose', async () => { end() })
  }
}

function check (options: OpenTelemetryOptions): void {
  refuseOthers(options, ['metrics', 'traces', 'meterProvider', 'tracerProvider'])
  for (const name of ['metrics', 'traces'] as const) {
    if (!['boolean', 'undefined'].includes(typeof options[name])) throw new PST_ERR_OPTION(name, 'true or false', show(options[name]))
  }
  const { meterProvider, tracerProvider } = options
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') throw new PST_ERR_OPTION('meterProvider', 'a MeterProvider', show(meterProvider))
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function') throw new PST_ERR_OPTION('tracerProvider', 'a TracerProvider', show(tracerProvider))
}

/**
 * Metrics of this app's streams, and a span for each, which says how it ended. When the app closes, nothing is left of them.
 * @throws PST_ERR_OPTION
 */
const plugin = fp(opentelemetry, { name: 'pastelli/opentelemetry', fastify: '5.x', dependencies: ['pastelli'] })

export default plugin
export { plugin as opentelemetry }
