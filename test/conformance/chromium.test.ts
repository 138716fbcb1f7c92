/** The event stream as Chromium reads it. */
import { conform } from './conform.ts'

await conform('Chromium')
