/** The event stream as WebKit reads it. */
import { conform } from './conform.ts'

await conform('WebKit')
