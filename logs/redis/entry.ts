/** A record as an entry of a stream: the fields of a draft, those that it has. The README documents them for other publishers. */
import { PST_ERR_FIELD } from '../../lib/errors.ts'
import { checkTopic } from '../../lib/topics/draft.ts'
import { isProduced } from '../../lib/topics/produced.ts'
import type { Draft } from '../../lib/topics/record.ts'

/** As Redis answers it: the id, then names and values in turn. */
export type Entry = readonly [id: string, fields: readonly string[]]

type Fields = { [name in keyof Draft | 'epoch']: string | undefined }

/** Names and values in turn. */
export function encode ({ topic, data, json, event, retry, except, key, begins, ends, producer }: Draft): string[] {
  const fields = ['topic', topic, 'data', data]
  if (json) fields.push('json', '1')
  if (event !== undefined) fields.push('event', event)
  if (retry !== undefined) fields.push('retry', String(retry))
  if (except !== undefined) fields.push('except', except)
  if (key !== undefined) fields.push('key', key)
  if (begins !== undefined) fields.push('begins', '1')
  if (ends !== undefined) fields.push('ends', ends)
  if (producer !== undefined) fields.push('producer', producer)
  return fields
}

/**
 * Null for an entry that marks where a life of the log begins.
 * @throws PST_ERR_TOPIC, PST_ERR_FIELD, and what JSON.parse throws, for what somebody else appended and is no record
 */
export function decode (fields: readonly string[]): Draft | null {
  const found: Fields = { epoch: undefined, topic: undefined, data: undefined, json: undefined, event: undefined, retry: undefined, except: undefined, key: undefined, begins: undefined, ends: undefined, producer: undefined }
  for (let i = 0; i < fields.length; i += 2) {
    if (Object.hasOwn(found, fields[i] as string)) found[fields[i] as keyof Fields] = fields[i + 1]
  }
  const { epoch, topic, data, json, event, retry, except, key } = found
  if (epoch !== undefined && topic === undefined) return null
  const isOwn = topic !== undefined && isProduced(topic)
  if (!isOwn) checkTopic(topic)
  if (data === undefined) throw new PST_ERR_FIELD('data', 'there', 'nothing')
  if (json === '1') JSON.parse(data)   // else a filter that looks at it would fail, each time that it is read
  if (retry !== undefined && !/^\d+$/.test(retry)) throw new PST_ERR_FIELD('retry', 'digits', JSON.stringify(retry.slice(0, 40)))
  const draft: Draft = {
    topic,
    data,
    json: json === '1',
    event,
    retry: retry === undefined ? undefined : Number(retry),
    except,
    key
  }
  return isOwn ? { ...draft, ...marksOf(found) } : draft   // on a topic of the app's they would end its streams, or hide an event
}

function marksOf ({ begins, ends, producer }: Fields): Pick<Draft, 'begins' | 'ends' | 'producer'> {
  if (ends !== undefined && ends !== 'server' && ends !== 'error') throw new PST_ERR_FIELD('ends', '"server" or "error"', ends)
  return { begins: begins === '1' ? true : undefined, ends, producer }
}
