/** Clients that come and go: most stay, some leave, a few do not read. */
import http, { type ClientRequest } from 'node:http'
import WebSocket from 'ws'
import { MARKETS } from './app.ts'

const NAMES = ['ada', 'alan', 'barbara', 'claude', 'donald', 'edsger', 'frances', 'grace', 'hedy', 'joan', 'ken', 'linus', 'margaret', 'niklaus', 'radia', 'tim']

/**
 * @param count how many there are about
 * @returns what sends them home
 */
export function crowd (port: number, count: number): () => void {
  const open = new Set<() => void>()

  const come = () => {
    const kind = Math.random()
    if (kind < 0.55) read(`/prices/${pick(MARKETS)}`)
    else if (kind < 0.78) read(`/news?reader=${pick(NAMES)}`)
    else if (kind < 0.93) talk()
    else read('/answers', 'POST')
  }

  const read = (path: string, method = 'GET') => {
    const request: ClientRequest = http.request({ port, host: '127.0.0.1', path, method, agent: false }, (response) => {
      if (Math.random() > 0.02) response.resume()
      response.on('error', () => {})
    })
    stay(request, () => { request.destroy() })
    request.end()
  }

  const talk = () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`)
    socket.on('open', () => { socket.send(`${pick(NAMES)} is here`) })
    stay(socket, () => { socket.terminate() })
  }

  const stay = (client: ClientRequest | WebSocket, leave: () => void) => {
    open.add(leave)
    client.on('error', () => {})
    client.on('close', () => { open.delete(leave) })
  }

  const timer = setInterval(() => {
    for (let i = 0; i < Math.max(1, count / 100) && open.size < count; i++) come()
    if (Math.random() < 0.35) [...open][Math.floor(Math.random() * open.size)]?.()
  }, 50)
  return () => {
    clearInterval(timer)
    for (const leave of open) leave()
  }
}

function pick<Item> (items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)] as Item
}
