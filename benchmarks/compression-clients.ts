/** Clients that count the bytes they get, of whom one reads them: `compression-clients.js PORT CODING COUNT LIFETIME`, in s. */
import http from 'node:http'
import zlib from 'node:zlib'
import { answer } from './child.ts'

export interface Received {
  /** Bytes of the bodies, of all of them. */
  bytes: number
  /** The number of the last event that the reader has; its events followed each other. */
  last: number
}

const [port, coding, count = 0, lifetime = 0] = process.argv.slice(2).map((arg) => Number(arg) || arg) as [number, string, number, number]

let bytes = 0
let last = 0
let text = ''

async function open (): Promise<void> {
  for (let i = 0; i < count; i++) await enter(i === 0)
  bytes = 0
}

function enter (isReader: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', agent: false, headers: { 'accept-encoding': coding } }, (response) => {
      response.on('data', (chunk: Buffer) => { bytes += chunk.length })
      response.once('data', () => { resolve() })
      if (isReader) (coding === 'none' ? response : response.pipe(decoder())).on('data', read)
    })
    request.on('error', reject)
  })
}

function decoder (): NodeJS.ReadWriteStream {
  if (coding === 'br') return zlib.createBrotliDecompress()
  if (coding === 'zstd') return (zlib as unknown as { createZstdDecompress: () => NodeJS.ReadWriteStream }).createZstdDecompress()
  return zlib.createGunzip()
}

function read (chunk: Buffer): void {
  text += chunk.toString()
  const blocks = text.split('\n\n')
  text = blocks.pop() as string
  for (const block of blocks) {
    const n = Number(/^data: \{"n":(\d+)/m.exec(block)?.[1])
    if (n === last + 1) last = n
  }
}

answer({ open, received: () => ({ bytes, last } satisfies Received) }, lifetime * 1_000)
