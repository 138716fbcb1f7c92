/** A record as a message: JSON of a draft. The README documents it for other publishers. */
import { PST_ERR_FIELD } from '../../lib/errors.ts'
import { checkTopic } from '../../lib/topics/draft.ts'
import { isProduced } from '../../lib/topics/produced.ts'
import type { Draft } from '../../lib/topics/record.ts'

type Found = Partial<Record<keyof Draft, unknown>>

export function encode (draft: Draft): string {
  const { json, ...rest } = draft
  return JSON.stringify(json ? draft : rest)
}

/** @throws PST_ERR_TOPIC, PST_ERR_FIELD, and what JSON.parse throws, for what somebody else published and is no record */
export function decode (text: string): Draft {
  const found = Object(JSON.parse(text)) as Found
  const { topic, data, json, event, retry, except, key } = found
  const isOwn = typeof topic === 'string' && isProduced(topic)
  if (!isOwn) checkTopic(topic)
  if (data === undefined) throw new PST_ERR_FIELD('data', 'there', 'nothing')
  const isText = typeof data === 'string'
  if (isText && json === true) JSON.parse(data)   // else a filter that looks at it would fail, each time that it is read
  const draft: Draft = {
    topic,
    data: isText ? data : JSON.stringify(data),
    json: !isText || json === true,
    event: event as string | undefined,   // a record checks these two
    retry: retry as number | undefined,
    except: textOf('except', except),
    key: textOf('key', key)
  }
  return isOwn ? { ...draft, ...marksOf(found) } : draft   // on a topic of the app's they would end its streams, or hide an event
}

function marksOf ({ begins, ends, producer }: Found): Pick<Draft, 'begins' | 'ends' | 'producer'> {
  if (ends !== undefined && ends !== 'server' && ends !== 'error') throw new PST_ERR_FIELD('ends', '"server" or "error"', typeof ends)
  return { begins: begins === true ? true : undefined, ends, producer: textOf('producer', producer) }
}

function textOf (name: string, value: unknown): string | undefined {
  if (value !== undefined && typeof value !== 'string') throw new PST_ERR_FIELD(name, 'a string', typeof value)
  return value
}
