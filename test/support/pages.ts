/** Pages in any of three browsers, by the little that they have in common: go there, evaluate this, wait until. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Readable } from 'node:stream'
import { launch } from 'puppeteer-core'
import type { Test } from 'tap'
import { launchChromium, withoutChromium } from './browser.ts'
import { freePort } from './free-port.ts'
import { locate, without } from './programs.ts'

export type BrowserName = 'Chromium' | 'Firefox' | 'WebKit'

const FIREFOX = ['firefox-esr', 'firefox']
const DRIVER = ['WebKitWebDriver']
const DISPLAY = ['Xvfb']

// So long that only what never comes gets there, ms: a browser on a busy machine takes its time.
const DEADLINE = 20_000

/** What goes into a test's `skip`: false if it is there, or if it has to be and the test shall fail. */
export function withoutBrowser (name: BrowserName): string | false {
  if (name === 'Chromium') return withoutChromium()
  if (name === 'Firefox') return without('TESTED IN FIREFOX', FIREFOX, 'firefox-esr')
  return without('TESTED IN WEBKIT', DRIVER, 'webkit2gtk-driver') || without('TESTED IN WEBKIT', DISPLAY, 'xvfb')
}

/** What a driver does; expressions may be promises, and what they give is JSON. */
interface Tab {
  goto: (url: string) => Promise<unknown>
  close: () => Promise<unknown>
  evaluate: (expression: string) => Promise<unknown>
}

/** Opens a page. */
export type Browser = () => Promise<Page>

export class Page {
  readonly #tab: Tab

  constructor (tab: Tab) {
    this.#tab = tab
  }

  async goto (url: string): Promise<void> {
    await this.#tab.goto(url)
  }

  async close (): Promise<void> {
    await this.#tab.close()
  }

  /** What the function gives, there; its argument and what it gives are JSON. */
  async evaluate<Result, Argument = undefined> (run: (argument: Argument) => Result, argument?: Argument): Promise<Awaited<Result>> {
    return await this.#tab.evaluate(`(${run.toString()})(${JSON.stringify(argument)})`) as Awaited<Result>
  }

  /** Resolves once it answers something true, there. */
  async until<Argument = undefined> (holds: (argument: Argument) => unknown, argument?: Argument): Promise<void> {
    const deadline = performance.now() + DEADLINE
    const test = `Boolean((${holds.toString()})(${JSON.stringify(argument)}))`
    while (await this.#tab.evaluate(test) !== true) {
      if (performance.now() > deadline) throw new Error(`waited ${DEADLINE} ms in vain until ${holds.toString()}`)
      await delay(20)
    }
  }
}

/** Headless, with a profile of its own, and content with any certificate; gone with the test, and every process of it. */
export async function openBrowser (t: Test, name: BrowserName): Promise<Browser> {
  if (name === 'Chromium') return await openChromium(t)
  if (name === 'Firefox') return await openFirefox(t)
  return await openWebKit(t)
}

async function openChromium (t: Test): Promise<Browser> {
  const browser = await launchChromium(t)
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  return async () => new Page(await context.newPage())
}

async function openFirefox (t: Test): Promise<Browser> {
  const browser = await launch({ browser: 'firefox', executablePath: locate(FIREFOX), headless: true, acceptInsecureCerts: true })
  t.teardown(() => browser.close())
  return async () => new Page(await browser.newPage())
}

/** WebDriver as it is, on a display of its own: GTK has no headless one. */
async function openWebKit (t: Test): Promise<Browser> {
  // About every third time Node 20, left to end by itself behind this browser, never comes through its cleanup of handles (2026-11).
  process.once('beforeExit', () => { process.exit() })
  const home = await mkdtemp(join(tmpdir(), 'pastelli-webkit-'))
  const processes: ChildProcess[] = []
  t.teardown(async () => {
    for (const process of processes.reverse()) await end(process)
    await rm(home, { recursive: true, force: true })
  })
  // It chooses the display, and says which on descriptor 3.
  const display = spawn(locate(DISPLAY), ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  processes.push(display)
  const [number] = await once(createInterface(display.stdio[3] as Readable), 'line') as [string]
  const port = await freePort()
  processes.push(spawn(locate(DRIVER), [`--port=${port}`], {
    stdio: 'ignore',
    // Its sandbox needs rights that containers don't give, and there is no GPU.
    env: { ...process.env, DISPLAY: `:${number}`, HOME: home, XDG_RUNTIME_DIR: home, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', LIBGL_ALWAYS_SOFTWARE: '1' }
  }))
  const ask = async (method: string, path: string, body: object | undefined = undefined): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...body !== undefined && { body: JSON.stringify(body) } })
    const { value } = await response.json() as { value: { error?: string, message?: string } | null }
    if (!response.ok) throw new Error(`${value?.error}: ${value?.message}`)
    return value
  }
  const deadline = performance.now() + DEADLINE
  const isReady = async () => await ask('GET', '/status').catch(() => false)
  while (await isReady() === false) if (performance.now() > deadline) throw new Error('WebKitWebDriver does not answer')
  const binary = miniBrowser()
  const { sessionId } = await ask('POST', '/session', {
    capabilities: { alwaysMatch: { acceptInsecureCerts: true, 'webkitgtk:browserOptions': { binary, args: ['--automation'] } } }
  }) as { sessionId: string }
  const session = `/session/${sessionId}`
  t.teardown(() => ask('DELETE', session))   // and with it the browser
  await ask('POST', `${session}/timeouts`, { script: DEADLINE })
  const script = 'const done = arguments[1]; Promise.resolve().then(() => eval(arguments[0])).then((value) => done({ value }), (error) => done({ error: String(error) }))'
  // The driver speaks to the window that it has chosen last.
  let chosen = (await ask('GET', `${session}/window`)) as string
  let isUsed = false
  return async () => {
    const handle = isUsed ? (await ask('POST', `${session}/window/new`, { type: 'window' }) as { handle: string }).handle : chosen
    isUsed = true
    const there = async (path: string, body: object): Promise<unknown> => {
      if (handle !== chosen) await ask('POST', `${session}/window`, { handle })
      chosen = handle
      return await ask('POST', session + path, body)
    }
    return new Page({
      goto: async (url) => await there('/url', { url }),
      close: async () => await there('/url', { url: 'about:blank' }),   // the session would end with its last window
      evaluate: async (expression) => {
        const { value, error } = await there('/execute/async', { script, args: [expression] }) as { value?: unknown, error?: string }
        if (error !== undefined) throw new Error(error)
        return value
      }
    })
  }
}

// Debian has it beside the library, below the name of the machine.
function miniBrowser (): string {
  const path = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/webkit2gtk-4.1/MiniBrowser`).find((path) => existsSync(path))
  if (path === undefined) throw new Error('there is no MiniBrowser of webkit2gtk-4.1 below /usr/lib')
  return path
}

async function end (process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const exit = once(process, 'exit')
  process.kill('SIGTERM')
  await exit
}
