/** Metrics: what can be registered, and what the channels carry. */
import { metrics as globalMetrics, trace } from '@opentelemetry/api'
import fastify from 'fastify'
import type { CloseReason, Connection, DiagnosticsMessages, GapReason, Registry as Connections, Topics } from 'pastelli'
import metrics, { type MetricsOptions } from 'pastelli/metrics'
import opentelemetry from 'pastelli/opentelemetry'
import { type OpenMetricsContentType, Registry, register } from 'prom-client'
import { expect, test } from 'tstyche'

const app = fastify()

test('metrics for Prometheus', () => {
  expect(app.register).type.toBeCallableWith(metrics)
  expect(app.register).type.toBeCallableWith(metrics, { registers: [register, new Registry()], prefix: 'shop_' })
  expect<MetricsOptions>().type.toBeAssignableFrom({ registers: [{} as Registry<OpenMetricsContentType>] })
  expect(app.register).type.not.toBeCallableWith(metrics, { registers: register })
  expect(app.register).type.not.toBeCallableWith(metrics, { registry: register })
})

test('metrics and spans of OpenTelemetry', () => {
  expect(app.register).type.toBeCallableWith(opentelemetry)
  expect(app.register).type.toBeCallableWith(opentelemetry, { metrics: false, tracerProvider: trace.getTracerProvider() })
  expect(app.register).type.toBeCallableWith(opentelemetry, { traces: false, meterProvider: globalMetrics.getMeterProvider() })
  expect(app.register).type.not.toBeCallableWith(opentelemetry, { meterProvider: trace.getTracerProvider() })
  expect(app.register).type.not.toBeCallableWith(opentelemetry, { traces: 1 })
})

test('messages of the channels', () => {
  expect<keyof DiagnosticsMessages>().type.toBe<
    'pastelli:connection:open' | 'pastelli:connection:close' | 'pastelli:connection:overflow' | 'pastelli:connection:gap' |
    'pastelli:connection:replay' | 'pastelli:topics:publish' | 'pastelli:topics:delivery'
  >()
  const closed = {} as DiagnosticsMessages['pastelli:connection:close']
  expect(closed.reason).type.toBe<CloseReason>()
  expect(closed.connections).type.toBe<Connections>()
  expect(closed.connection).type.toBe<Connection<object>>()
  const gap = {} as DiagnosticsMessages['pastelli:connection:gap']
  expect(gap.reason).type.toBe<GapReason>()
  expect(gap.from).type.toBe<string | null>()
  expect({} as DiagnosticsMessages['pastelli:topics:delivery']).type.toBeAssignableTo<{ topics: Topics, connections: number, latency: number }>()
})
