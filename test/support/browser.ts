/** Real browsers, as they are started. */
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { locate, without } from './programs.ts'

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

/** What goes into a test's `skip`: false if there is a Chromium, or if there has to be one and the test shall fail. */
export function withoutChromium (): string | false {
  return without('TESTED IN A BROWSER', CHROMIUM, 'chromium')
}

/** Chromium, gone with the test. */
export async function launchChromium (t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: locate(CHROMIUM), args: ARGS })
  t.teardown(() => browser.close())
  return browser
}
