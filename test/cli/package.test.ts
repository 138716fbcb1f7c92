/** The package of the command, as npm publishes it: what is in it, and that it runs from there. */
import { execFile } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { BIN } from '../support/command.ts'
import { plainNode } from '../support/plain-node.ts'

const run = promisify(execFile)
const folder = dirname(BIN)
const manifest: { version: string, bin: { pastelli: string }, dependencies: Record<string, string> } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

// No scripts: prepack would build anew below the running tests. No tap inside npm either.
async function packed (): Promise<string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder, env: plainNode() })
  const [{ files }] = JSON.parse(stdout) as [{ files: Array<{ path: string }> }]
  return files.map(({ path }) => path)
}

t.test('what npm packs', async (t) => {
  const files = await packed()

  t.test('is the command, the client, and what npm shows of them', async (t) => {
    t.same(files.filter((file) => !/^(package\.json|README\.md|LICENSE|bin\.js|dist\/(cli|client)\/[\w-]+\.js(\.map)?)$/.test(file)), [])
    for (const file of ['README.md', 'LICENSE', manifest.bin.pastelli, 'dist/cli/pastelli.js', 'dist/client/index.js']) t.ok(files.includes(file), file)
    const sources = readdirSync(folder).filter((file) => file.endsWith('.ts'))
    t.same(files.filter((file) => /^dist\/cli\/.*\.js$/.test(file)).sort(), sources.map((file) => `dist/cli/${file.replace('.ts', '.js')}`).sort())
  })

  t.test('imports only what an install brings along', async (t) => {
    const missing = files.filter((file) => file.endsWith('.js')).flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^(?:import|export)\b[^;]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm)]
        .map(([, from, loaded]) => from ?? loaded ?? '')
        .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier) && !(specifier in manifest.dependencies))
        .map((specifier) => `${file} imports ${specifier}`))
    t.same(missing, [])
  })

  t.test('runs where nothing else of Pastelli is', async (t) => {
    const place = t.testdir({ node_modules: { 'pastelli-cli': {} } })
    const installed = join(place, 'node_modules', 'pastelli-cli')
    for (const file of files) cpSync(join(folder, file), join(installed, file))
    const require = createRequire(BIN)
    for (const name of Object.keys(manifest.dependencies)) {
      const path = require.resolve(name)
      symlinkSync(path.slice(0, path.lastIndexOf(`node_modules/${name}`) + `node_modules/${name}`.length), join(place, 'node_modules', name))
    }
    const { stdout } = await run(process.execPath, [join(installed, manifest.bin.pastelli), '--version'])
    t.equal(stdout, `${manifest.version}\n`)
  })
})

t.test('its licence is that of the whole', async (t) => {
  t.equal(readFileSync(join(folder, 'LICENSE'), 'utf8'), readFileSync(join(folder, '../LICENSE'), 'utf8'))
})
