/** A span for each stream, from open to end. */
import { type Span, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { Connection } from '../../lib/connection/connection.ts'
import type { Registry } from '../../lib/connection/registry.ts'
import { listen } from '../../lib/diagnostics.ts'

/** Its parent is what is active when the response is taken over. Answers how to end that. */
export function traceStreams (registry: Registry, tracer: Tracer): () => void {
  const spans = new Map<Connection<object>, Span>()
  const unlisten = [
    listen('pastelli:connection:open', ({ connections, connection }) => {
      if (connections !== registry) return
      const { route, transport, id } = connection
      const attributes = { 'http.route': route, 'pastelli.transport': transport as string, 'pastelli.connection.id': id }
      spans.set(connection, tracer.startSpan(`stream ${route}`, { attributes }))
    }),
    listen('pastelli:connection:gap', ({ connection, reason, from, to }) => {
      spans.get(connection)?.addEvent('pastelli.gap', { 'pastelli.gap.reason': reason, 'pastelli.gap.from': from ?? undefined, 'pastelli.gap.to': to })
    }),
    listen('pastelli:connection:overflow', ({ connection, policy }) => {
      spans.get(connection)?.addEvent('pastelli.overflow', { 'pastelli.overflow.policy': policy })
    }),
    listen('pastelli:connection:replay', ({ connection, events, isComplete }) => {
      spans.get(connection)?.addEvent('pastelli.replay', { 'pastelli.replay.events': events, 'pastelli.replay.complete': isComplete })
    }),
    listen('pastelli:connection:close', ({ connection, reason }) => {
      const span = spans.get(connection)
      if (span === undefined) return   // of another app, or opened before
      spans.delete(connection)
      span.setAttributes({ 'pastelli.close.reason': reason, 'pastelli.sent.events': connection.events, 'pastelli.sent.io': connection.bytes })
      // [semantic conventions, recording errors] both, and nothing of it where there is none
      if (reason === 'error') span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', reason)
      span.end()
    })
  ]
  return () => { for (const end of unlisten) end() }
}
