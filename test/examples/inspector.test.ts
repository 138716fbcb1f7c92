/** The server that the inspector is tried on: as a process. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startDemo } from '../support/demo.ts'

const SERVER = fileURLToPath(new URL('../../examples/inspector/server.js', import.meta.url))

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`it shows its crowd, and ends well on ${signal}`, async (t) => {
    const { origin, ends } = await startDemo(t, SERVER)
    t.match(await (await fetch(`${origin}/inspector/`)).text(), '<title>Pastelli inspector</title>')
    let total = 0
    while (total < 20) ({ total } = await (await fetch(`${origin}/inspector/connections`)).json() as { total: number })
    await ends(await fetch(`${origin}/inspector/look`), signal)
  })
}
