/** nginx and haproxy, started by a test on free ports of loopback, with the files that docs/proxies.md shows or with no more than they need. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { locate, without } from './programs.ts'
import { CERTIFICATE } from './server.ts'
import { until } from './until.ts'

export type ProxyName = 'nginx' | 'haproxy'

export interface Proxy {
  /** In clear text. */
  origin: string
  port: number
  /** Over TLS, with HTTP/2. */
  secureOrigin: string
  securePort: number
}

/** Where the app is, and what a test changes. */
export interface ProxyOptions {
  /** The ports of two processes of the app, or of one. */
  ports: readonly [one: number, two?: number]
  /** After so many seconds without a byte the proxy gives up; default: what is shown, or the proxy's own. */
  timeout?: number
  /** Lines more of its file, where they count for everything. */
  more?: string
}

interface Place { port: number, securePort: number, folder: string }

const PROGRAMS: Record<ProxyName, readonly string[]> = { nginx: ['nginx'], haproxy: ['haproxy'] }

/** What goes into a test's `skip`: false if it is there, or if it has to be and the test shall fail. */
export function withoutProxy (name: ProxyName): string | false {
  return without(`TESTED BEHIND ${name}`, PROGRAMS[name], name)
}

/** With no more than it needs; gone with the test. */
export async function startBare (t: Test, name: ProxyName, { ports: [app], more = '' }: ProxyOptions): Promise<Proxy> {
  return await run(t, name, name === 'nginx'
    ? (place) => aroundNginx(place, `${more}
server {
    listen 127.0.0.1:${place.port};
    listen 127.0.0.1:${place.securePort} ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { proxy_pass http://127.0.0.1:${app}; }
}`)
    : ({ port, securePort, folder }) => `
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    ${more}
frontend web
    bind 127.0.0.1:${port}
    bind 127.0.0.1:${securePort} ssl crt ${folder}/both.pem alpn h2,http/1.1
    default_backend app
backend app
    server one 127.0.0.1:${app}
`)
}

/** With what docs/proxies.md shows, at the addresses of this test; gone with the test. */
export async function startShown (t: Test, name: ProxyName, { ports: [one, two = one], timeout, more = '' }: ProxyOptions): Promise<Proxy> {
  const page = readFileSync(new URL('../../../docs/proxies.md', import.meta.url), 'utf8')
  const block = new RegExp(`^\`\`\`${name}\\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1] ?? ''
  return await run(t, name, (place) => {
    const { port, securePort, folder } = place
    let file = block
    // What is not there any more was renamed, and is not tested.
    const put = (shown: string, here: string) => {
      if (!file.includes(shown)) throw new Error(`docs/proxies.md has no ${JSON.stringify(shown)} for ${name}`)
      file = file.replaceAll(shown, here)
    }
    put('10.0.0.1:3000', `127.0.0.1:${one}`)
    put('10.0.0.2:3000', `127.0.0.1:${two}`)
    put('/etc/ssl/example.com', folder)
    if (name === 'nginx') {
      put('listen 80;', `listen 127.0.0.1:${port};`)
      put('listen 443 ', `listen 127.0.0.1:${securePort} `)
      return aroundNginx(place, file + more + (timeout === undefined ? '' : `proxy_read_timeout ${timeout}s;`))
    }
    put('bind :80\n', `bind 127.0.0.1:${port}\n`)
    put('bind :443 ', `bind 127.0.0.1:${securePort} `)
    if (timeout !== undefined) for (const kind of ['client', 'server', 'tunnel']) put(`timeout ${kind} 60s`, `timeout ${kind} ${timeout}s`)
    put('mode http\n', `mode http\n    ${more}\n`)
    return file
  })
}

// What a file for sites is included by.
function aroundNginx ({ folder }: Place, sites: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`)
  return `daemon off; pid ${folder}/pid; events {} http { access_log off; ${folders.join(' ')} ${sites} }`
}

// Gone with the test.
async function run (t: Test, name: ProxyName, config: (place: Place) => string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), `pastelli-${name}-`))
  let child: ChildProcess | undefined
  t.teardown(async () => {
    if (child !== undefined) await end(child)
    await rm(folder, { recursive: true, force: true })
  })
  await chmod(folder, 0o755)   // started by root, the workers of nginx are nobody
  const [port, securePort] = [await freePort(), await freePort()]
  const file = join(folder, 'config')
  await writeFile(join(folder, 'cert.pem'), CERTIFICATE.cert)
  await writeFile(join(folder, 'key.pem'), CERTIFICATE.key)
  await writeFile(join(folder, 'both.pem'), CERTIFICATE.cert + CERTIFICATE.key)
  await writeFile(file, config({ port, securePort, folder }))
  const args = name === 'nginx' ? ['-p', folder, '-e', 'stderr', '-c', file] : ['-db', '-f', file]
  const program = child = spawn(locate(PROGRAMS[name]), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  program.stderr.on('data', (text) => { complaints += text })
  for (const one of [port, securePort]) {
    await listens(one, () => { if (program.exitCode !== null) throw new Error(`${name} did not start: ${complaints}`) })
  }
  return { port, origin: `http://127.0.0.1:${port}`, securePort, secureOrigin: `https://127.0.0.1:${securePort}` }
}

async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

async function listens (port: number, check: () => void): Promise<void> {
  let isThere = false
  const knock = () => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => {
      isThere = true
      socket.destroy()
    })
    socket.once('error', () => { setTimeout(knock, 10) })
  }
  knock()
  await until(() => {
    check()
    return isThere
  }, `port ${port} is listened to`)
}
