/** `npm run start:inspector`: a server with CROWD clients (300), and its inspector, on PORT or 4007 of this machine alone, until it is told to stop. */
import type { AddressInfo } from 'node:net'
import { buildApp } from './app.ts'
import { crowd } from './crowd.ts'

const { PORT = '4007', CROWD = '300' } = process.env
const app = await buildApp()
await app.listen({ port: Number(PORT), host: 'localhost' })

const { port } = app.server.address() as AddressInfo
console.log(`Pastelli's inspector: http://localhost:${port}/inspector/`)
const sendHome = crowd(port, Number(CROWD))

// With nothing left to do, Node ends by itself.
const stop = () => {
  sendHome()
  void app.close()
}
process.on('SIGINT', stop).on('SIGTERM', stop)
