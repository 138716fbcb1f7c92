/** The streams, as Nest's own routes: each one writes to the reply, so Nest leaves the answer to it. */
import { Body, Controller, Get, HttpCode, Inject, ParseIntPipe, Post, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import type { Observable } from 'rxjs'
import { Sheet } from './sheet.ts'

/** What the paper looks like: hues, in degrees. */
export const PAPER = Symbol('paper')

const STEPS = 12

@Controller()
export class SheetController {
  readonly #sheet: Sheet
  readonly #paper: Observable<number>

  constructor (@Inject(Sheet) sheet: Sheet, @Inject(PAPER) paper: Observable<number>) {
    this.#sheet = sheet
    this.#paper = paper
  }

  @Get()
  page (@Res() reply: FastifyReply): void {
    reply.sendFile('sheet.html')
  }

  @Get('strokes')
  strokes (@Res() reply: FastifyReply): void {
    reply.connection.subscribe('strokes', { after: 'earliest' })
    // Nothing may have been drawn yet, and Nest does not tell Fastify that this is all.
    reply.sendChunked()
  }

  @Post('strokes')
  @HttpCode(204)
  draw (@Body('hue', ParseIntPipe) hue: number): void {
    this.#sheet.draw(hue)
  }

  @Get('paper')
  async paper (@Res() reply: FastifyReply): Promise<void> {
    await reply.connection.pipe(this.#paper)
  }

  @Post('blends')
  @HttpCode(200)   // Nest's own for a POST is 201
  blend (@Body('from', ParseIntPipe) from: number, @Body('to', ParseIntPipe) to: number, @Res() reply: FastifyReply): void {
    for (let step = 0; step <= STEPS; step++) reply.event({ hue: Math.round(from + (to - from) * step / STEPS) }, { event: 'step' })
    reply.closeChunk()
  }
}
