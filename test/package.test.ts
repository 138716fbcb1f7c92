/** The package as npm publishes it: what is in it, and how it is loaded. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import fastify from 'fastify'
import t from 'tap'
import { broughtBy } from '../benchmarks/installed.ts'
import { plainNode } from './support/plain-node.ts'

interface Manifest {
  name: string
  version: string
  exports: Record<string, string | { types: string, default: string }>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional: boolean }>
}

// The packages that an app has to bring for a subpath.
const OPTIONAL: Record<string, string[]> = {
  'pastelli/client': ['eventsource-parser'],
  'pastelli/client/shared': ['eventsource-parser'],
  'pastelli/client/websocket': ['eventsource-parser'],
  'pastelli/metrics': ['prom-client'],
  'pastelli/opentelemetry': ['@opentelemetry/api'],
  'pastelli/testing': ['eventsource-parser']
}

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const require = createRequire(import.meta.url)
const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === 'string' ? [] : [{ specifier: manifest.name + path.slice(1), ...target }])

t.ok(entries.length > 0, 'the package exports something')

t.test('import and require by the package name give the same plugin', async (t) => {
  const imported = await import(manifest.name)
  const required = require(manifest.name)
  t.type(imported.default, 'function')
  t.equal(required.default, imported.default)
  t.equal(imported.pastelli, imported.default, 'also by name')
  t.equal(required.pastelli, imported.default)
  for (const loaded of [imported, required]) {
    const app = fastify()
    await app.register(loaded)
    t.ok(app.hasPlugin('pastelli'))
    await app.close()
  }
})

t.test('import and require of every subpath give the same exports', async (t) => {
  for (const { specifier } of entries) {
    const imported = await import(specifier)
    const required = require(specifier)
    t.ok(Object.keys(imported).length > 0, specifier)
    for (const name of Object.keys(imported)) t.equal(required[name], imported[name], `${specifier} ${name}`)
  }
  t.equal(require(`${manifest.name}/package.json`).version, manifest.version)
  t.throws(() => require(`${manifest.name}/dist/lib/errors.js`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
})

t.test('what an install brings along, the command\'s too, is free to use and runs nothing', async (t) => {
  const brought = [...broughtBy(root).values(), ...broughtBy(join(root, 'cli')).values()]
  t.ok(brought.length > Object.keys(manifest.dependencies).length)
  t.same(brought.filter(({ license }) => !['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD'].includes(license)), [])
  t.same(brought.filter(({ scripts }) => scripts.length > 0), [])
  for (const place of ['package.json', 'cli/package.json']) {
    const { scripts, license } = JSON.parse(readFileSync(join(root, place), 'utf8'))
    t.equal(license, 'MIT')
    for (const script of ['preinstall', 'install', 'postinstall']) t.notOk(script in scripts, `${place} ${script}`)
  }
})

t.test('what npm packs', async (t) => {
  // A package of its own: below ours, the name would mean the tree that is tested, not the tarball.
  const folder = t.testdir({ 'package.json': '{ "name": "app" }', node_modules: { [manifest.name]: {} } })
  const installed = join(folder, 'node_modules', manifest.name)
  await pack(folder, installed)
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))

  t.test('leaves tests, examples, benchmarks and sources out', async (t) => {
    const published = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|metrics\/grafana\.json|dist\/(index|(lib|logs|metrics|phoenix|plugins|routes|client|testing)\/.+)\.(js|js\.map|d\.ts)|routes\/inspector\/public\/[\w-]+\.(html|css|js|svg|woff2|txt))$/
    t.same(files.filter((file) => !published.test(file)), [])
    t.ok(files.includes('LICENSE'))
    t.ok(files.includes('CHANGELOG.md'))
  })

  t.test('has the inspector with its page', async (t) => {
    const requireThere = createRequire(join(folder, 'app.js'))
    const app = fastify()
    await app.register(requireThere(manifest.name).default)
    await app.register(requireThere(`${manifest.name}/inspector`).default, { insecure: true })
    t.match((await app.inject('/')).body, '<title>Pastelli inspector</title>')
    await app.close()
  })

  t.test('has code and types for every export', async (t) => {
    for (const { specifier, types, default: code } of entries) {
      t.ok(files.includes(resolve('/', code).slice(1)), `${specifier}: ${code}`)
      t.ok(files.includes(resolve('/', types).slice(1)), `${specifier}: ${types}`)
    }
  })

  t.test('imports only what an install brings along', async (t) => {
    const brought = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)])
    const missing = files.filter((file) => file.endsWith('.js')).flatMap((file) =>
      specifiersOf(readFileSync(join(installed, file), 'utf8'))
        .filter((specifier) => !/^\.{1,2}\//.test(specifier) && !isBuiltin(specifier) && !brought.has(packageOf(specifier)))
        .map((specifier) => `${file} imports ${specifier}`))
    t.same(missing, [])
  })

  t.test('needs an optional package only for the subpath that is for it', async (t) => {
    for (const { specifier, default: code } of entries) {
      const needed = [...packagesOf(join(installed, code))].filter((name) => name in manifest.peerDependenciesMeta)
      t.same(needed, OPTIONAL[specifier] ?? [], specifier)
    }
  })

  t.test('has the dashboard of Grafana', async (t) => {
    const file = createRequire(join(folder, 'app.js')).resolve(`${manifest.name}/metrics/grafana.json`)
    t.equal(file, join(installed, 'metrics/grafana.json'))
    t.equal(JSON.parse(readFileSync(file, 'utf8')).title, 'Pastelli')
  })

  t.test('loads from where it is installed', async (t) => {
    const requireThere = createRequire(join(folder, 'app.js'))
    for (const { specifier, default: code } of entries) {
      const path = requireThere.resolve(specifier)
      t.equal(path, join(installed, code))
      t.ok(Object.keys(requireThere(specifier)).length > 0)
      t.equal(requireThere(specifier).default, (await import(pathToFileURL(path).href)).default)
    }
  })
})

// No scripts: prepack would build anew below the running tests. No tap inside npm either.
async function pack (folder: string, into: string): Promise<void> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  await run('npm', args, { cwd: root, env: plainNode() })
  const tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`)
  await run('tar', ['-xzf', tarball, '-C', into, '--strip-components=1'])
}

// All that a file imports, and what that imports of ours.
function packagesOf (file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>()
  if (seen.has(file)) return packages
  seen.add(file)
  for (const specifier of specifiersOf(readFileSync(file, 'utf8'))) {
    const found = /^\.{1,2}\//.test(specifier) ? packagesOf(join(dirname(file), specifier), seen) : [packageOf(specifier)]
    for (const name of found) packages.add(name)
  }
  return packages
}

function specifiersOf (code: string): string[] {
  return [...code.matchAll(/^(?:import|export)\b[^;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm)]
    .map(([, from, loaded]) => from ?? loaded ?? '')
}

function packageOf (specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
