/** `npm run start:cluster`: three nodes behind a balancer on PORT or 4006 of HOST or this machine alone, until it is told to stop. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { publisher, redisLog } from 'pastelli/redis'
import { balance } from './balancer.ts'
import { type Engine, findRedis, LOG } from './redis.ts'
import { ROLL, type Roll } from './roll.ts'
import { Supervisor } from './supervisor.ts'

const { PORT = '4006', HOST = 'localhost', REDIS_URL } = process.env

try {
  await run(await findRedis(REDIS_URL))
} catch (err) {
  console.error(err instanceof Error ? err.message : err)
  process.exitCode = 1
}

async function run ({ url, client, stop: stopRedis }: Engine): Promise<void> {
  try {
    // No app here: what becomes of the nodes is published from outside.
    const { publish } = publisher(await redisLog({ client, ...LOG }))
    const supervisor = new Supervisor(url, (roll: Roll) => {
      Promise.resolve(publish(ROLL, roll, { event: 'nodes' })).catch((err: Error) => { console.error(err.message) })
    })
    const balancer = balance(() => supervisor.ports).listen(Number(PORT), HOST)
    await once(balancer, 'listening')

    let isStopping = false
    const stop = async () => {
      isStopping = true
      balancer.close()
      await supervisor.stop()   // ends the streams, and lets their pages come back to the next cluster
      await stopRedis()
    }
    // Who runs it by npm gets a Ctrl-C twice.
    const onSignal = () => { if (!isStopping) void stop() }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)

    await supervisor.start()
    if (!isStopping) console.log(`Three nodes of Pastelli, one app: http://localhost:${(balancer.address() as AddressInfo).port}`)
  } catch (err) {
    await stopRedis()
    throw err
  }
}
