/** The client in Chromium. */
import { inBrowser } from './in-browser.ts'

await inBrowser('Chromium')
