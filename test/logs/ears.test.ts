/** What listens to consumers of NATS, when one fails. */
import t from 'tap'
import type { Consumer, Message, Messages } from '../../logs/nats/client.ts'
import { hear, listen } from '../../logs/nats/ears.ts'

await t.test('who hears next is told of a failure that came while nobody heard, behind the messages that came before it', async (t) => {
  let give: (message: Message) => void = () => {}
  let fail = (_type: string) => {}
  const failing = new Promise<string>((resolve) => { fail = resolve })
  const messages: Messages = { close: async () => {}, status: async function * () { yield { type: await failing } } }
  const consumer: Partial<Consumer> = {
    consume: async ({ callback }) => {
      give = callback
      return messages
    }
  }
  const ears = await listen([consumer as Consumer])
  give({ seq: 1, string: () => 'a' })
  fail('ordered_consumer_recreated')
  await new Promise(setImmediate)
  t.same((await hear(ears, 10)).map(({ seq }) => seq), [1])
  await t.rejects(hear(ears, 10), { message: 'NATS: ordered_consumer_recreated' })
})
