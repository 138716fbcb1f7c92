/** What is wrong with the answer to a request that said where its client was. */
import { EventReader, type SeenGap } from '../support/event-reader.ts'
import type { RawResponse } from '../support/socket.ts'
import { ACCEPTS, type Asked, gapOf, joined, type Log } from './positions.ts'

/** What the server was asked: its log, the data of each event in that, and what the route's handler saw. */
export interface Scene extends Log { events: readonly string[], lastEventId: string | null }

/** Null: nothing. */
export function faultOf (asked: Asked, { status, body }: RawResponse, scene: Scene): string | null {
  const { epoch, head, events, lastEventId } = scene
  if (status !== 200) return `it was answered with ${status}`
  const header = joined(asked.headers)
  if (header !== undefined && lastEventId !== (header === '' ? null : header)) return `the header was taken for ${JSON.stringify(lastEventId)}`
  const gap = gapOf(lastEventId, scene)
  const to = `${epoch}:${head}`
  const isReplayed = lastEventId !== null && gap === null
  const wanted = {
    gaps: gap === null ? [] : [{ ...gap, to }],
    data: isReplayed ? events.slice(Number(lastEventId.split(':')[1])) : []
  }
  const told = asked.accept === ACCEPTS[0] ? readEvents(body, to) : readLines(body)
  const [is, shall] = [JSON.stringify(told), JSON.stringify(wanted)]
  return is === shall ? null : `the client was told ${is} in place of ${shall}`
}

function readEvents (body: Buffer, to: string): { gaps: SeenGap[], data: string[] } {
  const reader = new EventReader()
  reader.feed(body)
  if (reader.lastEventId !== to) throw new Error(`the client was not told that it is at ${to}: ${body.toString()}`)
  return { gaps: reader.gaps, data: reader.data }
}

function readLines (body: Buffer): { gaps: SeenGap[], data: string[] } {
  const lines = body.toString().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { event?: string, data: unknown })
  return {
    gaps: lines.filter(({ event }) => event === 'gap').map(({ data }) => data as SeenGap),
    data: lines.filter(({ event }) => event !== 'gap').map(({ data }) => data as string)
  }
}
