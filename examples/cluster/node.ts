/** One node's process: `node.js NAME URL`, which of the three and where Redis is. It ends with its parent. */
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { redisLog } from 'pastelli/redis'
import { buildApp } from './app.ts'
import { LOG } from './redis.ts'

const [name = '', url = ''] = process.argv.slice(2)

// A terminal's Ctrl-C goes to every process. When this one ends, its parent says.
process.on('SIGINT', () => {})
process.on('disconnect', () => { process.exit() })

const client = new Redis(url, { maxRetriesPerRequest: null })
client.on('error', () => {})   // what fails for that says so
const log = await redisLog({ client, ...LOG })
const app = await buildApp({ name, log, kill: (name) => { process.send?.({ kill: name }) } })
await app.listen({ port: 0, host: '127.0.0.1' })

process.on('SIGTERM', () => {
  void app.close().then(() => {
    client.disconnect()
    process.disconnect()
  })
})
process.send?.({ port: (app.server.address() as AddressInfo).port })
