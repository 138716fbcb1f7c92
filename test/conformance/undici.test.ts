/** The event stream as undici reads it. */
import { conform } from './conform.ts'

await conform('undici')
