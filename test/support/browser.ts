/** Real browsers: where they are on this machine, and how they are started. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

/** What goes into a test's `skip`: false if there is a Chromium, or if there has to be one and the test shall fail. */
export function withoutChromium (): string | false {
  if (find(CHROMIUM) !== undefined || process.env.PASTELLI_REQUIRE_ALL === '1') return false
  const loud = `NOT TESTED IN A BROWSER: none of ${CHROMIUM.join(', ')} is in PATH (apt-get install chromium)`
  console.error(loud)
  return loud
}

/** Chromium, gone with the test. */
export async function launchChromium (t: Test): Promise<Browser> {
  const executablePath = find(CHROMIUM)
  if (executablePath === undefined) throw new Error(`none of ${CHROMIUM.join(', ')} is in PATH, and PASTELLI_REQUIRE_ALL is set`)
  const browser = await chromium.launch({ executablePath, args: ARGS })
  t.teardown(() => browser.close())
  return browser
}

function find (names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
