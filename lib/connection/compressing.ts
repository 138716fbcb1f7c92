/** What those that compress have in common: whatever is not about bytes, the transport behind them knows. */
import type { CloseReason } from './reasons.ts'
import type { PlainTransport, Transport, TransportName } from './transport.ts'

export abstract class Compressing {
  protected readonly transport: PlainTransport

  /** @param transport the head is out */
  constructor (transport: PlainTransport) {
    this.transport = transport
  }

  get name (): TransportName {
    return this.transport.name
  }

  get taken (): number {
    return this.transport.taken
  }

  destroy (reason: CloseReason): void {
    this.transport.destroy(reason)
  }

  probe (now: number, heartbeat: number): ReturnType<NonNullable<Transport['probe']>> {
    return this.transport.probe?.(now, heartbeat) ?? null
  }
}
