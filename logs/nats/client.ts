/** What is used of a JetStream client, as `jetstream(connection)` of `@nats-io/jetstream` makes it. */

export interface JetStream {
  publish: (subject: string, payload: string, options: { msgID?: string, timeout: number }) => Promise<{ seq: number, duplicate: boolean }>
  jetstreamManager: () => Promise<Manager>
  readonly consumers: { get: (stream: string, options: never) => Promise<Consumer> }
}

export interface Manager {
  readonly streams: {
    info: (name: string, options?: { subjects_filter: string }) => Promise<Info>
    add: (config: never) => Promise<Info>
    update: (name: string, config: never) => Promise<Info>
    purge: (name: string, options: { filter: string }) => Promise<unknown>
  }
}

export interface Info {
  readonly config: { readonly description?: string | undefined, readonly max_age?: number | undefined }
  readonly state: { readonly first_seq: number, readonly last_seq: number, readonly subjects?: Readonly<Record<string, number>> | undefined }
}

export interface Consumer {
  delete: () => Promise<unknown>
  consume: (options: { max_messages: number, expires: number, idle_heartbeat: number, callback: (message: Message) => void }) => Promise<Messages>
  fetch: (options: { max_messages: number, expires: number }) => Promise<AsyncIterable<Message>>
}

export interface Messages { close: () => Promise<unknown>, status: () => AsyncIterable<{ readonly type: string }> }

export interface Message { readonly seq: number, string: () => string }
