/** `npm run start:phoenix`: the chat, on PORT or 4004 of HOST or this machine alone, until it is told to stop. */
import type { AddressInfo } from 'node:net'
import { buildApp } from './app.ts'

const { PORT = '4004', HOST = 'localhost' } = process.env
const app = await buildApp()
await app.listen({ port: Number(PORT), host: HOST })

const { port } = app.server.address() as AddressInfo
console.log(`Phoenix's chat on Pastelli: http://localhost:${port}`)

// Ends the streams and lets their pages come back to the next process. With nothing left to do, Node ends by itself.
const stop = () => { void app.close() }
process.on('SIGINT', stop).on('SIGTERM', stop)
