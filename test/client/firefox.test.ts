/** The client in Firefox. */
import { inBrowser } from './in-browser.ts'

await inBrowser('Firefox')
