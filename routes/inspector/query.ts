/** What the page may ask for in a URL, and what becomes of what it must not. */
import { PST_ERR_QUERY } from '../../lib/errors.ts'
import { show } from '../../lib/options.ts'
import type { Order } from './views.ts'

export interface Query<Row> {
  readonly search: string
  readonly order: Order<Row>
  readonly offset: number
  readonly limit: number
}

/** How rows are compared, by the name of the column. */
export type Columns<Row> = Readonly<Record<string, (one: Row, other: Row) => number>>

const MAX_ROWS = 200
const MAX_SEARCH = 200

/** @throws PST_ERR_QUERY */
export function parseQuery<Row> (url: string, columns: Columns<Row>, standard: string): Query<Row> {
  const given = paramsOf(url)
  const search = given.get('search') ?? ''
  if (search.length > MAX_SEARCH) throw new PST_ERR_QUERY('search', `at most ${MAX_SEARCH} characters`, String(search.length))
  const name = given.get('sort') ?? standard
  const compare = Object.hasOwn(columns, name) ? columns[name] : undefined
  if (compare === undefined) throw new PST_ERR_QUERY('sort', `one of ${Object.keys(columns).join(', ')}`, show(name))
  const direction = given.get('direction') ?? 'ascending'
  if (direction !== 'ascending' && direction !== 'descending') throw new PST_ERR_QUERY('direction', 'ascending or descending', show(direction))
  return {
    search,
    order: { name, isDescending: direction === 'descending', compare },
    offset: wholeNumber(given, 'offset', 0, Number.MAX_SAFE_INTEGER),
    limit: wholeNumber(given, 'limit', 50, MAX_ROWS)
  }
}

export function paramsOf (url: string): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start === -1 ? '' : url.slice(start))
}

function wholeNumber (given: URLSearchParams, name: string, standard: number, max: number): number {
  const text = given.get(name)
  if (text === null) return standard
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max) throw new PST_ERR_QUERY(name, `an integer from 0 to ${max}`, show(text))
  return value
}
