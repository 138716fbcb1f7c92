/** How far a load is, as a bar where somebody looks. */
import { SingleBar } from 'cli-progress'

const EVERY = 100   // ms

/**
 * Draws until it is stopped.
 * @param look how much is done, of the total, and what to say of it
 */
export function showProgress (stream: NodeJS.WriteStream, what: string, total: number, look: () => [done: number, text: string]): () => void {
  if (!stream.isTTY) return () => {}
  const bar = new SingleBar({ stream, format: `${what}  {bar}  {text}`, barsize: 30, barCompleteChar: '█', barIncompleteChar: '░', clearOnComplete: true, gracefulExit: false })
  const draw = () => {
    const [done, text] = look()
    bar.update(Math.min(done, total), { text })
  }
  bar.start(total, 0, { text: '' })
  const timer = setInterval(draw, EVERY)
  return () => {
    clearInterval(timer)
    draw()
    bar.stop()
  }
}
