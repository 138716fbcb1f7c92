/** The files of the page: read once, sent with what a browser needs to keep them, and to let in nothing else. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

// tsc leaves them where they are.
const FOLDER = new URL('../../../routes/inspector/public/', import.meta.url)

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2'
}

const INDEX = 'inspector.html'

const POLICY = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"].join('; ')

/** What everything that the inspector answers says. */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin'
}

interface File { readonly type: string, readonly bytes: Buffer, readonly tag: string }

export function servePage (fastify: FastifyInstance): void {
  for (const name of readdirSync(fileURLToPath(FOLDER))) {
    const type = TYPES[extname(name)]
    if (type === undefined) continue   // the licence of the font
    const bytes = readFileSync(new URL(name, FOLDER))
    const file = { type, bytes, tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` }
    const schema = { hide: true }
    if (name === INDEX) fastify.get('/', { schema, exposeHeadRoute: true }, async (request, reply) => isFolder(request) ? send(file, request, reply) : redirect(request, reply))
    else fastify.get(`/${name}`, { schema, exposeHeadRoute: true }, async (request, reply) => send(file, request, reply))
  }
}

// Who has been sent on by the page may be somebody else by now: so a browser asks each time, and is told that nothing has changed.
function send ({ type, bytes, tag }: File, { headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  void reply.header('etag', tag).header('cache-control', 'private, no-cache')
  const known = headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? []
  return known.includes(tag) ? reply.code(304).send() : reply.type(type).send(bytes)
}

// The page's own addresses are relative, so that they hold behind any proxy: its own has to end with a slash.
function isFolder ({ url }: FastifyRequest): boolean {
  return pathOf(url).endsWith('/')
}

function redirect ({ url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = pathOf(url)
  return reply.header('cache-control', 'private, no-cache').code(302).header('location', `./${path.slice(path.lastIndexOf('/') + 1)}/${url.slice(path.length)}`).send()
}

function pathOf (url: string): string {
  return /^[^?#]*/.exec(url)?.[0] as string
}
