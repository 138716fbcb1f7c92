/** The event stream as the package eventsource reads it. */
import { conform } from './conform.ts'

await conform('eventsource')
