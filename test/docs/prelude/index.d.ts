/** What code in the documents presumes: an app that has Pastelli, and a request to it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type plugin from 'pastelli'
import type { Connection } from 'pastelli'

declare global {
  const app: FastifyInstance
  const pastelli: typeof plugin
  const request: FastifyRequest
  const reply: FastifyReply
  const connection: Connection
}

declare module 'pastelli' {
  interface ConnectionState { user?: string, room?: string }
}
