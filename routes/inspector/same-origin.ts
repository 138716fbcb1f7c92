/**
 * Whether it is the inspector's own page that asks: a browser sends cookies and passwords along whichever page asks.
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
import type { FastifyRequest } from 'fastify'
import { hostOf } from '../../lib/connection/origins.ts'

/** Who sends neither header is no browser, and none that can be turned against its user. */
export function isSameOrigin ({ headers, host }: Pick<FastifyRequest, 'headers' | 'host'>): boolean {
  const site = headers['sec-fetch-site']
  // Sent by browsers where they trust the server: no page can forge it, and no proxy changes it. `none`: the user has typed the address.
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin } = headers
  return origin === undefined || hostOf(origin) === host.toLowerCase()
}
