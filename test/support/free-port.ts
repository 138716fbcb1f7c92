/** A port of loopback that nobody listens on, for a program that has to be told one. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below those that systems give out: of these another client may get one before the program listens, or while it is started again.
const FIRST = 15_000
const END = 32_000

export async function freePort (): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'EADDRINUSE') continue
      throw err
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
