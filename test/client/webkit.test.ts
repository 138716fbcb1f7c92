/** The client in WebKitGTK. */
import { inBrowser } from './in-browser.ts'

await inBrowser('WebKit')
