/** What a user may write on the command line: each value checked, and told what is wrong with it. */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { InvalidArgumentError } from 'commander'
import { isJson } from './ndjson.ts'

/** What commander has of a request. */
export interface Asked {
  header?: Array<[name: string, value: string]>
  request?: string
  data?: string
}

/** Whom to ask, and how. */
export interface Target {
  url: URL
  method: string
  headers: Headers
  body: Uint8Array | undefined
}

/** Something that shows only when all options are known. */
export class UsageError extends Error {}

const PROTOCOLS = ['http:', 'https:', 'ws:', 'wss:']
const WITHOUT_BODY = ['GET', 'HEAD']

/** @throws UsageError */
export async function target (address: string, { header, request, data }: Asked, protocols = PROTOCOLS): Promise<Target> {
  const url = parseUrl(address, protocols)
  const headers = new Headers(header)
  // A URL with a password in it can't be fetched.
  if (url.username !== '' && !headers.has('authorization')) headers.set('authorization', `Basic ${credentials(url)}`)
  url.username = url.password = ''
  const method = (request ?? (data === undefined ? 'GET' : 'POST')).toUpperCase()
  if (isWebSocket(url) && (request ?? data) !== undefined) throw new UsageError('a WebSocket takes no method and no body')
  if (data !== undefined && WITHOUT_BODY.includes(method)) throw new UsageError(`${method} takes no body`)
  const body = data === undefined ? undefined : await read(data)
  if (body !== undefined && !headers.has('content-type')) headers.set('content-type', typeOf(body))
  return { url, method, headers, body }
}

export function isWebSocket (url: URL): boolean {
  return url.protocol.startsWith('ws')
}

/** @throws InvalidArgumentError, as all that follow */
export function header (line: string, headers: NonNullable<Asked['header']> = []): NonNullable<Asked['header']> {
  const [, name, value] = /^([^:]+):(.*)$/s.exec(line) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It should look like "Name: value".')
  try {
    return [...headers, ...new Headers([[name, value]])]
  } catch {
    throw new InvalidArgumentError('A header can\'t look like that.')
  }
}

export function count (text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('It should be a whole number from 1 up.')
  return number
}

/** A time in seconds that is not 0. */
export function seconds (text: string): number {
  const number = amount(text)
  if (number === 0) throw new InvalidArgumentError('It should be more than 0.')
  return number
}

/** A time in seconds. */
export function amount (text: string): number {
  const number = text.trim() === '' ? NaN : Number(text)
  if (!(number >= 0 && number <= MOST_SECONDS)) throw new InvalidArgumentError('It should be a number of seconds.')
  return number
}

// What a timer of Node's takes.
const MOST_SECONDS = 2 ** 31 / 1_000 - 1

export function fieldPath (text: string): string[] {
  const path = text.split('.')
  if (path.includes('')) throw new InvalidArgumentError('It should look like sentAt or meta.sentAt.')
  return path
}

function parseUrl (address: string, protocols: string[]): URL {
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(address) ? address : `http://${address}`
  if (!URL.canParse(full)) throw new UsageError(`${address} is no URL`)
  const url = new URL(full)
  if (!protocols.includes(url.protocol)) throw new UsageError(`${url.protocol}// can't be asked here: ${protocols.map((protocol) => `${protocol}//`).join(', ')} can`)
  return url
}

function credentials ({ username, password }: URL): string {
  try {
    return Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  } catch {
    throw new UsageError('the user and password of the URL can\'t be read: a % in them is written %25')
  }
}

async function read (data: string): Promise<Uint8Array> {
  if (data === '-') return await buffer(process.stdin)
  if (!data.startsWith('@')) return Buffer.from(data)
  try {
    return await readFile(data.slice(1))
  } catch (error) {
    throw new UsageError(`${data.slice(1)} can't be read: ${(error as Error).message}`)
  }
}

// As curl has it, but for JSON, which is what most ask with.
function typeOf (body: Uint8Array): string {
  return isJson(new TextDecoder().decode(body)) ? 'application/json' : 'application/x-www-form-urlencoded'
}
