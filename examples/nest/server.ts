/** `npm run start:nest`: the sheet, on PORT or 4005 of HOST or this machine alone, until it is told to stop. */
import type { AddressInfo } from 'node:net'
import { buildApp } from './app.ts'

const { PORT = '4005', HOST = 'localhost' } = process.env
const app = await buildApp()
// A signal closes the app, which ends the streams and lets their pages come back to the next process.
app.enableShutdownHooks(['SIGINT', 'SIGTERM'], { useProcessExit: true })
await app.listen(PORT, HOST)

const { port } = app.getHttpServer().address() as AddressInfo
console.log(`Pastelli under Nest: http://localhost:${port}`)
