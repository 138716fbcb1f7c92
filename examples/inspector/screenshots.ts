/** `npm run screenshots`: the pictures of the inspector in docs/, with Chromium (CHROMIUM, or what is in PATH). */
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { buildApp } from './app.ts'
import { crowd } from './crowd.ts'

// So long the charts fill, ms.
const FILL = Number(process.env['FILL'] ?? 150_000)
const SIZE = { width: 1280, height: 980 }

const app = await buildApp()
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
const sendHome = crowd(port, 320)
const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
const page = await browser.newPage({ viewport: SIZE, colorScheme: 'light', reducedMotion: 'reduce' })
await page.goto(`http://127.0.0.1:${port}/inspector/`)
await delay(FILL)
for (const colorScheme of ['light', 'dark'] as const) {
  await page.emulateMedia({ colorScheme })
  await delay(1_500)
  const path = fileURLToPath(new URL(`../../../docs/inspector-${colorScheme}.png`, import.meta.url))
  await page.screenshot({ path })
  console.log(path)
}
await browser.close()
sendHome()
await app.close()
