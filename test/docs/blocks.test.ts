/**
 * Every block of code in README.md, CONTRIBUTING.md and docs/ is checked. TypeScript and JavaScript are checked against the types of the
 * built package, each block as a module of its own that finds what prelude/ declares; what a reader has to know of a block, the documents
 * say; what only this test has to know, a comment right before the block says:
 *
 * - `<!-- continues -->`: it is one module with the block before it
 * - `<!-- presumes: code -->`: it stands behind this code
 * - `<!-- serves: /path -->`: a program, with an `app` that listens; it is started, and the path gives an event
 * - `<!-- runs -->`: a program; it is started, and ends well
 * - `<!-- foreign: package -->`: code for a package that is not here: its syntax is checked
 * - `<!-- tested: path -->`: this other test takes it from the document, and runs it
 *
 * On a line that says `does not compile` there has to be an error. What a block augments is augmented for itself alone.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'
import { documents, ROOT } from '../support/documents.ts'
import type { Block } from '../support/markdown.ts'

interface Module {
  document: string
  language: string
  /** That of the document, all else left blank: so the compiler's lines are the document's. */
  lines: string[]
  blocks: Block[]
}

interface Manifest { name?: string, scripts?: Record<string, string>, bin?: Record<string, string>, dependencies?: object, peerDependencies?: object, devDependencies?: object }

// Whole programs of the compiler, on a machine that does other things as well.
t.setTimeout(120_000)

const run = promisify(execFile)
const require = createRequire(import.meta.url)
const TSC = join(dirname(require.resolve('@typescript/native/package.json')), 'bin/tsc')
const PRELUDE = join(ROOT, 'test/docs/prelude')
// Without tap's own loader, which gets into every process that a test starts, and which the compiler can't be loaded by.
const PLAIN_NODE = ['-u', 'NODE_OPTIONS', process.execPath]
const DIRECTIVES = ['continues', 'presumes', 'serves', 'runs', 'foreign', 'tested']

const manifest = readManifest('package.json')
const command = readManifest('cli/package.json')

// What a command may begin with, besides npm and node; the rest of its line is not checked.
const PROGRAMS = new Set(['curl', 'redis-cli', 'nats', 'kubectl', 'docker'])

const checks: Record<string, (block: Block) => void> = {
  ts: checkModule,
  js: checkModule,
  sh: (block) => { if (!isTested(block)) for (const line of block.code.split('\n')) checkCommands(line) },
  json: ({ code }) => { JSON.parse(code) },
  yaml: ({ code }) => { refuse([parseAllDocuments(code)].flat().flatMap(({ errors }) => errors)) },
  nginx: needTest,
  haproxy: needTest,
  // What goes over the wire, or what a program prints.
  text: () => {}
}

// Once for all: starting the compiler takes longer than what it does.
const folder = t.testdir()
const modules = documents.flatMap(({ path, blocks }) => modulesOf(path, blocks))
const files = new Map(modules.map((module, index) => [join(folder, `${basename(module.document, '.md')}-${index}.${module.language}`), module]))
const complaints = compile()

for (const { path, blocks, spans } of documents) {
  t.test(`the code of ${path}`, async (t) => {
    for (const block of blocks) {
      for (const { name } of block.directives) if (!DIRECTIVES.includes(name)) t.fail(`line ${block.line}: nobody knows <!-- ${name} -->`)
      const check = checks[block.language]
      if (check === undefined) t.fail(`line ${block.line}: nobody knows how to check "${block.language}"`)
      else t.doesNotThrow(() => { check(block) }, `line ${block.line}: ${block.language}`)
    }
    for (const command of spans.filter((span) => /^npm |^node dist/.test(span))) t.doesNotThrow(() => { checkCommands(command) }, command)
    const found = (await complaints).filter((complaint) => complaint.startsWith(`${path}:`))
    t.same(found, [], 'compiles')
  })
}

t.test('what the documents presume compiles as well', async (t) => {
  const known = documents.map(({ path }) => `${path}:`)
  t.same((await complaints).filter((complaint) => !known.some((path) => complaint.startsWith(path))), [])
})

t.test('what is told to run runs', async (t) => {
  const programs = [...files].flatMap(([file, module]) => module.blocks.flatMap(({ directives, line }) =>
    directives.filter(({ name }) => name === 'serves' || name === 'runs').map(({ name, text }) => ({ file, module, name, text, line }))))
  t.ok(programs.some(({ name }) => name === 'serves'), 'there is one that serves')
  for (const { file, module, name, text, line } of programs) {
    const program = join(folder, `${basename(file, '.ts')}.js`)
    if (!existsSync(program)) writeFileSync(program, toProgram(module, name === 'serves'))
    const what = `${module.document}:${line}`
    if (name === 'runs') await t.resolves(run('env', [...PLAIN_NODE, program]), what)
    else t.match(await firstEvent(program, text), /^data: /m, `${what} ${text}`)
  }
})

t.test('a block that is wrong is found', async (t) => {
  const block = (language: string, code: string): Block => ({ language, code, line: 1, directives: [] })
  t.throws(() => checks.sh?.(block('sh', 'npm run nothing')), /nothing/)
  t.throws(() => checks.sh?.(block('sh', 'npm ci && node dist/nothing.js')), /nothing/)
  t.throws(() => checks.sh?.(block('sh', 'npm install nothing')), /nothing/)
  t.throws(() => checks.sh?.(block('sh', 'npx nothing tail')), /nothing/)
  t.throws(() => checks.sh?.(block('sh', 'rm -r /')), /rm/)
  t.throws(() => checks.json?.(block('json', '{ a: 1 }')))
  t.throws(() => checks.yaml?.(block('yaml', 'a: [')))
  t.throws(() => checks.nginx?.(block('nginx', 'server {}')), /no other test/)
  t.throws(() => checks.nginx?.({ ...block('nginx', 'server {}'), directives: [{ name: 'tested', text: 'test/nothing.test.ts', line: 1 }] }), /nothing/)
  t.throws(() => checks.ts?.({ ...block('ts', 'const = 1'), directives: [{ name: 'foreign', text: 'another', line: 1 }] }))
})

function readManifest (path: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
}

function has ({ directives }: Block, name: string): boolean {
  return directives.some((directive) => directive.name === name)
}

// Its types are for the compiler; here is what that never sees.
function checkModule (block: Block): void {
  if (!has(block, 'foreign')) return
  const { diagnostics = [] } = ts.transpileModule(block.code, { reportDiagnostics: true, compilerOptions: { target: ts.ScriptTarget.ES2022 } })
  refuse(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')))
}

function refuse (errors: unknown[]): void {
  if (errors.length !== 0) throw new Error(errors.join(', '))
}

// The other test fails if it does not find it.
function isTested ({ directives }: Block): boolean {
  const path = directives.find(({ name }) => name === 'tested')?.text
  if (path !== undefined) checkFile(path)
  return path !== undefined
}

function needTest (block: Block): void {
  if (!isTested(block)) throw new Error('no other test runs it')
}

function checkCommands (line: string): void {
  for (const text of line.replace(/#.*/, '').split('&&')) {
    const words = text.trim().split(/\s+/).filter((word) => word !== '' && !/^\w+=/.test(word))
    if (words.length !== 0) checkCommand(words as [string, ...string[]])
  }
}

function checkCommand ([program, ...rest]: [string, ...string[]]): void {
  const [first = '', second = ''] = rest
  if (program === 'npx') need([command.name as string, ...Object.keys(command.bin ?? {})], first)   // the package has one command
  else if (program === 'node') checkFile(rest.find((word) => !word.startsWith('-')) ?? '')
  else if (program !== 'npm') need(PROGRAMS, program)
  else if (first === 'install') for (const name of rest.slice(1)) checkPackage(name)
  else if (first !== 'ci' && first !== 'ls') need(Object.keys(manifest.scripts ?? {}), first === 'run' ? second : first)
}

function need (known: Iterable<string>, name: string): void {
  if (![...known].includes(name)) throw new Error(`"${name}" is none of ${[...known].join(', ')}`)
}

// What is built is there only as its source.
function checkFile (path: string): void {
  const source = path.replace(/^dist\/(.*)\.js$/, '$1.ts')
  if (!existsSync(join(ROOT, source))) throw new Error(`there is no ${source}`)
}

function checkPackage (name: string): void {
  const { dependencies, peerDependencies, devDependencies } = manifest
  if (!name.startsWith('-')) need(['pastelli', 'pastelli-cli', ...Object.keys({ ...dependencies, ...peerDependencies, ...devDependencies })], name.replace(/(?<=.)@.*/, ''))
}

function modulesOf (document: string, blocks: readonly Block[]): Module[] {
  const found: Module[] = []
  for (const block of blocks) {
    if (!['ts', 'js'].includes(block.language) || has(block, 'foreign')) continue
    const module = has(block, 'continues') ? found.at(-1) : { document, language: block.language, lines: [], blocks: [] }
    if (module === undefined) throw new Error(`${document}:${block.line} continues nothing`)
    if (!found.includes(module)) found.push(module)
    module.blocks.push(block)
    for (const { name, text, line } of block.directives) if (name === 'presumes') place(module, text, line)
    place(module, block.code, block.line)
  }
  return found
}

function place ({ lines }: Module, code: string, line: number): void {
  while (lines.length < line - 1) lines.push('')
  lines.push(...code.split('\n'))
}

// Each group is a program of its own; all are built at once.
async function compile (): Promise<string[]> {
  for (const [file, { lines }] of files) writeFileSync(file, `${lines.join('\n')}\nexport {}\n`)
  const augments = (file: string) => /^declare module '/m.test(readFileSync(file, 'utf8'))
  const groups = [[...files.keys()].filter((file) => !augments(file)), ...[...files.keys()].filter(augments).map((file) => [file])]
  const projects = groups.map((group, index) => {
    const project = join(folder, `${index}.tsconfig.json`)
    writeFileSync(project, JSON.stringify({ extends: join(PRELUDE, 'tsconfig.json'), include: [PRELUDE], files: group }))
    return project
  })
  const { stdout, stderr } = await run('env', [...PLAIN_NODE, TSC, '-b', ...projects, '--pretty', 'false'], { cwd: ROOT }).catch((error: { stdout: string, stderr: string }) => error)
  return [...complaintsOf(stdout), ...stderr === '' ? [] : [stderr]]
}

// What the compiler complains of, by the lines of the documents; and where it does not, though it should.
function complaintsOf (output: string): string[] {
  const wanted = new Set([...files.values()].flatMap(({ document, lines }) =>
    lines.flatMap((line, index) => line.includes('does not compile') ? [`${document}:${index + 1}`] : [])))
  const missed = new Set(wanted)
  const found: string[] = []
  for (const line of output.split('\n').filter((line) => /^\S.*error TS/.test(line))) {
    const [, path = '', at = '', message = line] = /^(.+?)\((\d+),\d+\): error (.*)$/.exec(line) ?? []
    const place = `${files.get(join(ROOT, path))?.document ?? relative(ROOT, path)}:${at}`
    if (wanted.has(place)) missed.delete(place)
    else found.push(`${place} ${message}`)
  }
  return [...found, ...[...missed].map((place) => `${place} compiles`)]
}

function toProgram ({ lines }: Module, serves: boolean): string {
  const code = lines.join('\n')
  const { outputText } = ts.transpileModule(serves ? code.replace(/\bport: \d+/, 'port: 0') : code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, experimentalDecorators: true }
  })
  return serves ? `${outputText}\nprocess.send(app.server.address().port)\n` : outputText
}

async function firstEvent (program: string, path: string): Promise<string> {
  const child = spawn('env', [...PLAIN_NODE, program], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const gone = once(child, 'exit')
  try {
    const [port] = await Promise.race([once(child, 'message'), gone.then(() => { throw new Error(`${program} ended`) })])
    const { status, body } = await fetch(`http://localhost:${port}${path}`, { headers: { accept: 'text/event-stream' }, signal: AbortSignal.timeout(10_000) })
    if (status !== 200 || body === null) return `status ${status}`
    let text = ''
    for await (const bytes of body) {
      text += Buffer.from(bytes).toString()
      if (/^data: .*\n\n/m.test(text)) break
    }
    return text
  } finally {
    child.kill('SIGKILL')
    await gone
  }
}
