/** What nodes send to each other, as text. */
import { PST_ERR_FIELD } from '../../lib/errors.ts'
import { MAX_SAID } from '../../lib/cluster/nodes.ts'

export type Change = readonly [key: string, value: string | null]

/** A node has said more: these are all changes between the two versions. */
export interface Said { readonly type: 'said', readonly from: string, readonly after: number, readonly version: number, readonly changes: readonly Change[] }

/** Wants to be told all that a node says. */
export interface Ask { readonly type: 'ask', readonly from: string }

/** A part of all that a node says at a version. */
export interface All { readonly type: 'all', readonly from: string, readonly version: number, readonly part: number, readonly isLast: boolean, readonly changes: readonly Change[] }

/** Leaves. */
export interface Bye { readonly type: 'bye', readonly from: string }

/** What a node's owner sends. */
export interface Tell { readonly type: 'tell', readonly from: string, readonly body: string }

export type Message = Said | Ask | All | Bye | Tell

const ID = /^[\w-]{1,64}$/

// The body is text of its own behind the first line, so that what is JSON is not quoted again.
export function encode (message: Message): string {
  if (message.type !== 'tell') return JSON.stringify(message)
  const { body, ...head } = message
  return `${JSON.stringify(head)}\n${body}`
}

/** @throws PST_ERR_FIELD, and what JSON.parse throws, for what is none */
export function decode (text: string): Message {
  const end = text.indexOf('\n')
  const { type, from, after, version, part, isLast, changes } = Object(JSON.parse(end === -1 ? text : text.slice(0, end))) as Record<string, unknown>
  if (typeof from !== 'string' || !ID.test(from)) throw new PST_ERR_FIELD('from', 'the id of a node', typeof from)
  if (type === 'tell') return { type, from, body: end === -1 ? '' : text.slice(end + 1) }
  if (type === 'ask' || type === 'bye') return { type, from }
  if (type === 'said' && isCount(after) && isCount(version) && areChanges(changes)) return { type, from, after, version, changes }
  if (type === 'all' && isCount(version) && isCount(part) && typeof isLast === 'boolean' && areChanges(changes)) return { type, from, version, part, isLast, changes }
  throw new PST_ERR_FIELD('type', 'that of a message, with its fields', String(type))
}

export function sizeOf ([key, value]: Change): number {
  return key.length + (value?.length ?? 0)
}

function isCount (value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0
}

function areChanges (value: unknown): value is Change[] {
  return Array.isArray(value) && value.every(isChange)
}

function isChange (value: unknown): value is Change {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [key, said] = value as unknown[]
  return typeof key === 'string' && (said === null || typeof said === 'string') && sizeOf([key, said]) <= MAX_SAID
}
