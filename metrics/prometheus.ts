/** `pastelli/metrics`: what an app's streams do, for Prometheus by prom-client. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { register, validateMetricName } from 'prom-client'
import { PST_ERR_OPTION } from '../lib/errors.ts'
import { show } from '../lib/options.ts'
import type {} from '../plugins/connections.ts'
import type {} from '../plugins/topics.ts'
import { refuseOthers } from './options.ts'
import { type AnyRegistry, Exposition } from './prometheus/exposition.ts'

/** What `app.register(metrics, options)` takes. */
export interface MetricsOptions {
  /** Where the metrics are; apps that share one there are summed up. @default prom-client's `register` */
  registers?: readonly AnyRegistry[] | undefined
  /** What their names begin with. @default 'pastelli_' */
  prefix?: string | undefined
}

async function metrics (fastify: FastifyInstance, options: MetricsOptions): Promise<void> {
  const { registers, prefix } = parse(options)
  const expositions = registers.map((registry) => Exposition.in(registry, prefix))
  if (expositions.some(({ isBarred }) => isBarred)) throw new PST_ERR_OPTION('prefix', 'one whose metrics the registry does not have yet', show(prefix))
  for (const exposition of expositions) {
    exposition.join(fastify)
    fastify.addHook('onClose', async () => { exposition.leave(fastify) })
  }
}

function parse (options: MetricsOptions): { registers: readonly AnyRegistry[], prefix: string } {
  const { registers = [register], prefix = 'pastelli_' } = options
  refuseOthers(options, ['registers', 'prefix'])
  if (!Array.isArray(registers) || registers.length === 0 || !registers.every(isRegistry)) throw new PST_ERR_OPTION('registers', 'an array of registries of prom-client', show(registers))
  if (typeof prefix !== 'string' || !validateMetricName(`${prefix}x`)) throw new PST_ERR_OPTION('prefix', 'what the name of a metric may begin with', show(prefix))
  return { registers, prefix }
}

function isRegistry (value: unknown): boolean {
  return typeof (value as AnyRegistry | null)?.registerMetric === 'function'
}

/**
 * Registers the metrics of this app's streams. What takes a look at every connection is computed when somebody asks; when the app
 * closes, nothing is left of them.
 * @throws PST_ERR_OPTION
 */
const plugin = fp(metrics, { name: 'pastelli/metrics', fastify: '5.x', dependencies: ['pastelli'] })

export default plugin
export { plugin as metrics }
