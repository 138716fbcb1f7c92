/** The engine's disk is full, and has room again later: are failures clear, do streams stay open, is nothing lost that was acknowledged? */
import { setTimeout as delay } from 'node:timers/promises'
import type { Faults } from '../verdict.ts'
import { Disk } from './disk.ts'
import type { EngineSettings } from './engine.ts'
import { enter } from './namespaces.ts'
import { Scene } from './scene.ts'
import { chaos, expectAll, expectSame, type Options } from './verdict.ts'

const MEBIBYTES = 24

// So soon after the disk is full publishes fail: what an engine has of its last block is written to first, ms.
const NOTICED = 10_000

// A node tries again after up to 5 s, and a client of NATS after up to 2 s more: when all are live again, ms.
const BACK = 10_000

// A client that hears nothing for longer leaves, and comes back: then it is no stream that stayed open. ms
const HEARTBEAT = 2_000
const SILENCE = 6_000

// Of a node's log, in all, however much it publishes itself.
const LINES = 10

type Own = Options<'seconds'>

async function fill ({ seconds, ...options }: Own, faults: Faults, fsync?: EngineSettings['fsync']): Promise<string> {
  const disk = await Disk.mount(MEBIBYTES)
  const scene = await Scene.open({
    ...options,
    lifetime: 120 + seconds,
    engineSettings: { folder: disk.folder, ...fsync === undefined ? {} : { fsync } },
    node: { heartbeat: HEARTBEAT, every: 100 },
    client: { heartbeatTimeout: SILENCE }
  })
  try {
    await scene.publish()
    await scene.pause(500, 1_500)
    disk.fill()
    const filled = performance.now()
    faults.expect(await scene.until(async () => Object.keys((await scene.outcome()).failures).length !== 0, NOTICED), 'no publish fails')
    const noticed = performance.now() - filled
    await delay(seconds * 1_000)
    const away = await scene.reading()
    const wasRunning = scene.engine.isRunning
    disk.makeRoom()
    const isBackByItself = wasRunning && options.engine === 'redis'
    if (!isBackByItself) {
      await scene.engine.kill()
      await scene.engine.start()
    }
    const made = performance.now()
    const { published } = await scene.outcome()
    faults.expect(await scene.reached(published), 'not all went on')
    const back = performance.now() - made
    faults.expect(back <= BACK, `all were live ${Math.round(back)} ms after there was room`)
    const outcome = await scene.silence()
    faults.expect(await scene.reachedAll(outcome), 'not all got to the end')
    faults.expect(away.open === options.clients && away.opened === options.clients, `${away.open} clients were open, ${away.opened - options.clients} had come back`)
    faults.expect(Object.keys(outcome.failures).every((failure) => failure.startsWith('PST_ERR_LOG')), `publishes failed with ${Object.keys(outcome.failures).join()}`)
    const lines = await Promise.all(scene.nodes.map((node) => node.lines()))
    faults.expect(lines.every(({ length }) => length <= LINES), `the nodes wrote ${lines.map(({ length }) => length).join()} lines: ${JSON.stringify(lines[0]).slice(0, 500)}`)
    const seen = await scene.seen()
    expectAll(faults, seen, outcome)
    expectSame(faults, seen)
    return `${options.engine}${fsync === undefined ? '' : ` ${fsync}`}: publishes failed ${Math.round(noticed)} ms after the disk was full, ` +
      `the engine ${!wasRunning ? 'ended itself and was started again' : isBackByItself ? 'went on by itself' : 'was started again'}, ` +
      `all were live ${Math.round(back)} ms after there was room, at most ${Math.max(...lines.map(({ length }) => length))} lines of a log; ${JSON.stringify(outcome.failures)}`
  } finally {
    await scene.close()
    disk.remove()
  }
}

await enter('mount')
await chaos({ seconds: 10 }, async (options: Own, faults) => {
  if (options.engine === 'nats') return await fill(options, faults)
  return `${await fill(options, faults, 'everysec')}; ${await fill(options, faults, 'always')}`
})
