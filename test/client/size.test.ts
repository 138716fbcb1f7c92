/** What the client weighs for a page: bundled, minified and gzipped, without the parser. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t from 'tap'

const CLIENT = fileURLToPath(new URL('../../client/', import.meta.url))
const BUDGETS = { index: 4_000, shared: 5_300 }

async function weigh (entry: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [`${CLIENT}${entry}.js`], bundle: true, minify: true, format: 'esm', target: 'es2022', external: ['eventsource-parser'], write: false
  })
  return gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length
}

for (const [entry, budget] of Object.entries(BUDGETS)) {
  await t.test(`pastelli/client, ${entry}: fewer than ${budget} bytes`, async (t) => {
    const size = await weigh(entry)
    t.ok(size < budget && size > budget / 2, `${size} bytes`)
  })
}
