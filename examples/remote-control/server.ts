/** `npm start`: the demo, on PORT or 4001, until it is told to stop. */
import type { AddressInfo } from 'node:net'
import { buildApp } from './app.ts'
import { lanAddress } from './invitation.ts'

const app = await buildApp()
// All addresses: a phone must reach it too.
await app.listen({ port: Number(process.env.PORT ?? 4001), host: '0.0.0.0' })

const { port } = app.server.address() as AddressInfo
const lan = lanAddress()
console.log(`Pastelli's remote control: http://localhost:${port}${lan === undefined ? '' : `, for phones http://${lan}:${port}`}`)

// Ends the streams and lets their pages come back to the next process. With nothing left to do, Node ends by itself.
const stop = () => { void app.close() }
process.on('SIGINT', stop).on('SIGTERM', stop)
