/** What the pages of every example stand on: their own files, those that all share, and a policy that lets in nothing else. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import files from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

// tsc leaves the pages where they are, whether this runs from dist/ or not.
const EXAMPLES = ['..', '../../../examples']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(join(path, 'pastel/public'))) as string

/** @param example the name of its folder */
async function pages (app: FastifyInstance, { example }: { example: string }): Promise<void> {
  // Only what this server sends. The rest of helmet is about https, which a laptop in a meeting room has not.
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'self'"] } },
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false
  })
  await app.register(files, { root: [example, 'pastel'].map((name) => join(EXAMPLES, name, 'public')), index: false })
}

export default fp(pages)
