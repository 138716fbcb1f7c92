/** What is drawn, and who is told of it. */
import { Inject, Injectable } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyInstance } from 'fastify'

@Injectable()
export class Sheet {
  readonly #host: HttpAdapterHost

  constructor (@Inject(HttpAdapterHost) host: HttpAdapterHost) {
    this.#host = host
  }

  draw (hue: number): void {
    // Asked for only now: Nest makes its providers before pastelli is registered.
    const { topics } = this.#host.httpAdapter.getInstance<FastifyInstance>()
    topics.publish('strokes', { hue }, { event: 'stroke' })
  }
}
