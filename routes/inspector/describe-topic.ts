/** A topic as people read it: those that no app can name have names of their own. */
import { isProduced } from '../../lib/topics/produced.ts'

export function describeTopic (topic: string): { name: string, isPublic: boolean } {
  if (!isProduced(topic)) return { name: topic, isPublic: true }
  return { name: nameOf(topic.slice(1)), isPublic: false }
}

// Not all of them are of resumable streams: nodes wake each other by one, and who appends from elsewhere may use any.
function nameOf (text: string): string {
  try {
    const [route, key] = JSON.parse(text) as [route: string, key: string]
    const [method, path] = JSON.parse(route) as [method: string | string[], path: string]
    return `${String(method)} ${path} · ${key}`
  } catch {
    return text
  }
}
