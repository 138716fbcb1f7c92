/** The event stream as Firefox reads it. */
import { conform } from './conform.ts'

await conform('Firefox')
