/** Under which settings schedules are played. */
import fc from 'fast-check'
import type { Settings } from './model.ts'

export const settings = fc.record<Settings>({
  retention: fc.record({ events: fc.integer({ min: 1, max: 60 }), bytes: fc.integer({ min: 100, max: 300_000 }), age: fc.integer({ min: 10_000, max: 900_000 }) }),
  heartbeat: fc.constantFrom(5_000, 15_000, 60_000),
  heartbeatEvent: fc.constantFrom(null, null, 'alive'),
  maxAge: fc.integer({ min: 60_000, max: 7_200_000 }),
  writeTimeout: fc.constantFrom(20_000, 60_000, 300_000),
  maxBuffered: fc.constantFrom(70_000, 1_048_576),
  drain: fc.constantFrom(1_000, 10_000),
  coalesce: fc.constantFrom(0, 0, 0, 20),
  maxConnections: fc.integer({ min: 2, max: 8 }),
  maxConnectionsPerKey: fc.integer({ min: 1, max: 4 }),
  capacity: fc.constantFrom(0, 1_000, 30_000, 200_000),
  clients: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat()
})
