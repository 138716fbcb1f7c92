/** The arrows between the rooms of the house, read off the import statements of the source tree. */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

interface Room {
  /** The room's files, by path from the project root. */
  files: RegExp
  /** The files of the house that it may import. */
  house: RegExp
  /** The packages that it may import; absent: any. Node's own always go by `node:`. */
  packages?: string[]
  /** Whether it may import what is Node's own. Default: true. */
  builtins?: false
  /** Types may come from here as well. */
  houseTypes?: RegExp
  why: string
}

interface Import { specifier: string, typeOnly: boolean }

/** The first room that matches a file rules it. */
const ROOMS: Room[] = [
  {
    files: /^index\.ts$/,
    house: /^(routes|plugins|lib)\//,
    packages: ['fastify', 'fastify-plugin'],
    why: 'index.ts is the façade: routes, plugins and the types of lib',
  },
  {
    files: /^lib\/errors\.ts$/,
    house: /^lib\//,
    packages: ['@fastify/error'],
    why: 'lib imports node: and lib; errors are made in lib/errors.ts',
  },
  {
    files: /^lib\/wire\//,
    house: /^lib\/(wire\/|errors\.ts$)/,
    packages: [],
    why: 'lib/wire is bytes only: it knows lib/wire and lib/errors.ts',
  },
  {
    files: /^lib\//,
    house: /^lib\//,
    packages: [],
    why: 'lib imports node: and lib, never fastify, plugins or routes',
  },
  {
    files: /^plugins\//,
    house: /^lib\//,
    packages: ['fastify', 'fastify-plugin', '@fastify/websocket'],
    why: 'plugins import lib; they meet each other through decorators',
  },
  {
    files: /^routes\//,
    house: /^(routes|plugins|lib)\//,
    packages: ['fastify', 'fastify-plugin'],
    why: 'routes import plugins and lib',
  },
  {
    files: /^testing\//,
    house: /^(testing|lib)\//,
    houseTypes: /^index\.ts$/,
    packages: ['fastify', 'eventsource-parser'],
    why: 'testing reads an app from outside, as a client does',
  },
  {
    files: /^logs\//,
    house: /^(logs|lib)\//,
    packages: [],
    why: 'logs implement the Log contract of lib, with a client that the app brings',
  },
  {
    files: /^client\//,
    house: /^client\//,
    houseTypes: /^lib\//,
    packages: ['eventsource-parser'],
    builtins: false,
    why: 'client has nothing of the server but types, and runs in browsers',
  },
  {
    files: /^cli\//,
    house: /^(cli\/|client\/(index|websocket)\.ts$)/,
    packages: ['cli-progress', 'commander', 'eventsource-parser'],
    why: 'cli is a package of its own, which has only the client compiled along',
  },
  {
    files: /^phoenix\//,
    house: /^(phoenix|lib)\/|^plugins\/reply\.ts$/,
    houseTypes: /^(routes|plugins)\//,
    packages: ['fastify', 'fastify-plugin'],
    why: 'phoenix stands on lib, and on routes and plugins as an app does',
  },
  {
    files: /^metrics\/prometheus(\/|\.ts$)/,
    house: /^(metrics\/(prometheus\/|(catalogue|options|tally)\.ts$)|lib\/)/,
    houseTypes: /^plugins\//,
    packages: ['fastify', 'fastify-plugin', 'prom-client'],
    why: 'metrics for Prometheus need nothing of OpenTelemetry',
  },
  {
    files: /^metrics\/opentelemetry(\/|\.ts$)/,
    house: /^(metrics\/(opentelemetry\/|(catalogue|options|tally)\.ts$)|lib\/)/,
    houseTypes: /^plugins\//,
    packages: ['fastify', 'fastify-plugin', '@opentelemetry/api'],
    why: 'metrics and spans of OpenTelemetry need nothing of Prometheus',
  },
  {
    files: /^metrics\//,
    house: /^(metrics\/(catalogue|options|tally)\.ts$|lib\/)/,
    packages: [],
    why: 'what both kinds of metrics have in common stands on lib',
  },
  {
    files: /^examples\//,
    house: /^(examples\/|index\.ts$|(testing|phoenix|client)\/index\.ts$)/,
    why: 'examples use what a user can import',
  },
  {
    files: /^(benchmarks|test)\//,
    house: /./,
    why: 'tests and benchmarks may look at everything',
  },
]

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SKIP = new Set(['node_modules', 'dist'])

/** What is wrong with the imports of one file, one line for each. */
function wrongArrows (file: string, source: string): string[] {
  const room = ROOMS.find(({ files }) => files.test(file))
  if (!room) return [`${file} is in no room of the house`]
  return importsOf(file, source)
    .filter((found) => !allowed(room, file, found))
    .map(({ specifier }) => `${file} imports ${specifier}: ${room.why}`)
}

function allowed (room: Room, file: string, { specifier, typeOnly }: Import): boolean {
  if (isBuiltin(specifier)) return specifier.startsWith('node:') && room.builtins !== false
  if (!specifier.startsWith('.')) return room.packages?.includes(packageOf(specifier)) ?? true
  const target = posix.join(posix.dirname(file), specifier)
  if (samePlugin(file, target)) return true
  return room.house.test(target) || (typeOnly && (room.houseTypes?.test(target) ?? false))
}

/** A plugin that outgrows its file becomes a folder, and its files may import one another. */
function samePlugin (file: string, target: string): boolean {
  const folder = /^plugins\/[^/]+\//.exec(file)?.[0]
  return folder !== undefined && target.startsWith(folder)
}

function packageOf (specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/** Every way to name another module: import and export from, import(), require(), import types, augmentations. */
function importsOf (file: string, source: string): Import[] {
  const found: Import[] = []
  const add = (node: ts.Node | undefined, typeOnly: boolean) => {
    if (node && ts.isStringLiteralLike(node)) found.push({ specifier: node.text, typeOnly })
    else if (node) found.push({ specifier: node.getText(), typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isExternalModuleReference(node)) add(node.expression, false)
    else if (ts.isImportTypeNode(node)) add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument, true)
    else if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) add(node.name, true)
    else if (ts.isCallExpression(node) && loads(node.expression)) add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true))
  return found
}

function loads (callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
}

function sources (folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || SKIP.has(entry.name)) return []
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return sources(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

t.test('every file of the house imports along the arrows', async (t) => {
  const files = sources()
  t.ok(files.includes('test/architecture.test.ts'), 'the source tree is found')
  t.same(files.flatMap((file) => wrongArrows(file, readFileSync(join(ROOT, file), 'utf8'))), [])
})

t.test('a right arrow passes', async (t) => {
  const right: Array<[file: string, source: string]> = [
    ['index.ts', "import fp from 'fastify-plugin'\nimport stream from './routes/stream.ts'\nexport type { X } from './lib/options.ts'"],
    ['lib/wire/ndjson.ts', "import { Buffer } from 'node:buffer'\nimport { PST_ERR_CHUNK } from '../errors.ts'"],
    ['lib/errors.ts', "import createError from '@fastify/error'"],
    ['lib/cluster/sends.ts', "import type { Connection } from '../connection/connection.ts'"],
    ['lib/connection/http1.ts', "import { frame } from '../wire/chunked.ts'"],
    ['plugins/reply.ts', "import fp from 'fastify-plugin'\nimport { Connection } from '../lib/connection/connection.ts'\ndeclare module 'fastify' {}"],
    ['plugins/reply/verbs.ts', "import { take } from './take.ts'"],
    ['plugins/websocket.ts', "import websocket, { type WebSocket } from '@fastify/websocket'"],
    ['routes/stream.ts', "import '../plugins/reply.ts'"],
    ['routes/inspector/index.ts', "import { kHost } from '../../lib/symbols.ts'\nimport type {} from '../stream.ts'\nimport { readFileSync } from 'node:fs'"],
    ['testing/index.ts', "import { createParser } from 'eventsource-parser'\nimport type {} from '../index.ts'"],
    ['logs/nodes/remote-nodes.ts', "import type { Nodes } from '../../lib/cluster/nodes.ts'"],
    ['logs/redis/redis-log.ts', "import { Record } from '../../lib/topics/record.ts'"],
    ['client/event-stream.ts', "import { createParser } from 'eventsource-parser'"],
    ['client/index.ts', "import type { CloseReason } from '../lib/connection/reason.ts'"],
    ['cli/tail.ts', "import { connect } from '../client/index.ts'\nimport { Command } from 'commander'\nimport http from 'node:http'"],
    ['phoenix/websocket.ts', "import fp from 'fastify-plugin'\nimport type {} from '../routes/stream.ts'\nimport { connect } from '../plugins/reply.ts'"],
    ['metrics/prometheus.ts', "import { register } from 'prom-client'\nimport type {} from '../plugins/topics.ts'\nimport { METRICS } from './catalogue.ts'"],
    ['metrics/opentelemetry/spans.ts', "import { trace } from '@opentelemetry/api'\nimport { listen } from '../../lib/diagnostics.ts'"],
    ['examples/clock/server.ts', "import pastelli from '../../index.ts'\nimport cors from '@fastify/cors'"],
  ]
  for (const [file, source] of right) t.same(wrongArrows(file, source), [], file)
})

t.test('a wrong arrow is found, however it is written', async (t) => {
  const wrong: Array<[file: string, source: string]> = [
    ['lib/connection/connection.ts', "import fastify from 'fastify'"],
    ['lib/connection/connection.ts', "import type { FastifyReply } from 'fastify'"],
    ['lib/connection/connection.ts', "type Reply = import('fastify').FastifyReply"],
    ['lib/connection/connection.ts', "declare module 'fastify' {}"],
    ['lib/connection/connection.ts', "import '../../plugins/reply.ts'"],
    ['lib/connection/connection.ts', "export * from '../../routes/stream.ts'"],
    ['lib/connection/connection.ts', "const { default: ws } = await import('ws')"],
    ['lib/connection/connection.ts', "const name = 'fast' + 'ify'\nawait import(name)"],
    ['lib/connection/connection.ts', "import net = require('net')"],
    ['lib/connection/connection.ts', "const net = require('ws')"],
    ['lib/connection/connection.ts', "import createError from '@fastify/error'"],
    ['lib/connection/websocket.ts', "import type { WebSocket } from 'ws'"],
    ['routes/websocket.ts', "import websocket from '@fastify/websocket'"],
    ['lib/options.ts', "import pastelli from '../index.ts'"],
    ['lib/wire/event-stream.ts', "import { Connection } from '../connection/connection.ts'"],
    ['plugins/reply.ts', "import '../plugins/registry.ts'"],
    ['plugins/reply.ts', "import type { Registry } from './registry.ts'"],
    ['plugins/reply/verbs.ts', "import '../registry/registry.ts'"],
    ['plugins/reply.ts', "import '../routes/stream.ts'"],
    ['plugins/reply.ts', "import pastelli from '../index.ts'"],
    ['plugins/reply.ts', "import fs from 'fs'"],
    ['routes/stream.ts', "import pastelli from '../index.ts'"],
    ['routes/stream.ts', "import { open } from '../testing/index.ts'"],
    ['routes/inspector/page.ts', "import files from '@fastify/static'"],
    ['index.ts', "import { open } from './testing/index.ts'"],
    ['index.ts', "import error from '@fastify/error'"],
    ['testing/index.ts', "import { reply } from '../plugins/reply.ts'"],
    ['testing/index.ts', "import pastelli from '../index.ts'"],
    ['lib/cluster/cluster.ts', "import { RemoteNodes } from '../../logs/nodes/remote-nodes.ts'"],
    ['logs/redis.ts', "import '../plugins/topics.ts'"],
    ['phoenix/websocket.ts', "import stream from '../routes/stream.ts'"],
    ['phoenix/websocket.ts', "import { WebSocket } from 'ws'"],
    ['phoenix/index.ts', "import pastelli from '../index.ts'"],
    ['logs/redis/line.ts', "import { Redis } from 'ioredis'"],
    ['client/index.ts', "import { encodeEvent } from '../lib/wire/event-stream.ts'"],
    ['client/index.ts', "import { once } from 'node:events'"],
    ['client/index.ts', "import WebSocket from 'ws'"],
    ['cli/tail.ts', "import { parseJson } from '../client/event-stream.ts'"],
    ['cli/tail.ts', "import type { Gap } from '../lib/topics/gap.ts'"],
    ['cli/tail.ts', "import WebSocket from 'ws'"],
    ['client/index.ts', "import { why } from '../cli/reasons.ts'"],
    ['metrics/prometheus.ts', "import { trace } from '@opentelemetry/api'"],
    ['metrics/prometheus.ts', "import { traceStreams } from './opentelemetry/spans.ts'"],
    ['metrics/opentelemetry/instruments.ts', "import { Exposition } from '../prometheus/exposition.ts'"],
    ['metrics/opentelemetry.ts', "import { register } from 'prom-client'"],
    ['metrics/tally.ts', "import { Counter } from 'prom-client'"],
    ['metrics/tally.ts', "import '../plugins/topics.ts'"],
    ['examples/clock/server.ts', "import { Connection } from '../../lib/connection/connection.ts'"],
    ['utils/helper.ts', ''],
  ]
  for (const [file, source] of wrong) t.equal(wrongArrows(file, source).length, 1, `${file}: ${source}`)
})
