/**
 * A sheet of paper that everybody draws on, under NestJS: its streams are routes of an ordinary controller.
 *
 *     GET  /strokes   a topic: what was drawn, then what is being drawn
 *     POST /strokes   draws a stroke
 *     GET  /paper     an observable: the hue of the paper
 *     POST /blends    events in answer to a body: the hues from one to another
 */
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import pastelli from 'pastelli'
import { interval, map, type Observable } from 'rxjs'
import pages from '../pastel/pages.ts'
import { PAPER, SheetController } from './controller.ts'
import { Sheet } from './sheet.ts'

// Once around in two minutes.
const turning = interval(1_000).pipe(map((second) => (305 + second * 3) % 360))

@Module({})
class SheetModule {}

export async function buildApp (paper: Observable<number> = turning): Promise<NestFastifyApplication> {
  const root = { module: SheetModule, controllers: [SheetController], providers: [Sheet, { provide: PAPER, useValue: paper }] }
  const app = await NestFactory.create<NestFastifyApplication>(root, new FastifyAdapter(), { logger: ['warn', 'error'], abortOnError: false })
  // Here, and not in a module: Nest declares its routes before modules are told that they are ready.
  await app.register(pastelli, {
    // Come back a second after a stream broke.
    retry: 1_000,
    // A heartbeat that the page can hear: when it stays away, the line is dead, though nobody closed it.
    heartbeat: 5_000,
    heartbeatEvent: 'heartbeat'
  })
  await app.register(pages, { example: 'nest' })
  return app
}
