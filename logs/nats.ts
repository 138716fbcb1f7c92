/**
 * `pastelli/nats`: a log in NATS JetStream, for apps on more than one machine.
 * @module pastelli/nats
 */
import { PST_ERR_OPTION } from '../lib/errors.ts'
import type { Log } from '../lib/topics/log.ts'
import type { JetStream } from './nats/client.ts'
import { NatsLog } from './nats/nats-log.ts'
import { complete, type LogOptions } from './options.ts'

/** What `natsLog` takes. */
export interface NatsLogOptions extends LogOptions {
  /** `jetstream(connection)` of `@nats-io/jetstream`. The connection stays yours; let it reconnect for ever. */
  client: JetStream
}

const NAME = { says: 'a text of letters, digits, "_" and "-"', pattern: /^[\w-]+$/ }

/**
 * Opens a log in a stream of JetStream with this name, and with one subject, the name; it is made if it is not there.
 * @throws PST_ERR_OPTION, and what NATS says
 */
export async function natsLog (options: NatsLogOptions): Promise<Log> {
  const settings = complete('natsLog', options, NAME)
  const { publish, jetstreamManager } = Object(options.client) as Partial<JetStream>
  if (typeof publish !== 'function' || typeof jetstreamManager !== 'function') throw new PST_ERR_OPTION('client', 'what jetstream() makes', typeof options.client)
  return await NatsLog.open(options.client, settings)
}

export { publisher, type Publisher } from './publisher.ts'
export type { JetStream, Log }
