/**
 * Many clients of one stream in a process of their own: `crowd.js PORT COUNT STALLED`. The first STALLED never read.
 * Says when all have asked; asked for a report, says how many streams ended properly.
 */
import net from 'node:net'

const [port = 0, count = 0, stalled = 0] = process.argv.slice(2).map(Number)
const AT_ONCE = 200
let proper = 0
let answered503 = 0

function open (): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (bytes) => {
      if (text === '') resolve()
      text = (text + bytes.toString('latin1')).slice(-400)
      if (text.includes(' 503 ')) answered503++
    })
    socket.on('error', () => {})
    socket.on('close', () => { if (text.endsWith('\r\n0\r\n\r\n')) proper++ })
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  })
}

function openStalled (): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', () => { resolve() })
    })
    socket.on('error', () => {})
    socket.pause()
  })
}

process.on('message', () => { process.send?.({ proper, answered503 }) })
process.on('disconnect', () => { process.exit() })
for (let i = 0; i < stalled; i++) await openStalled()
for (let opened = stalled; opened < count; opened += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - opened) }, open))
}
process.send?.('open')
