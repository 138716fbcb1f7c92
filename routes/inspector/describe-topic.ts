/** A topic as people read it: those of resumable streams have names of their own. */
import { isProduced } from '../../lib/topics/produced.ts'

export function describeTopic (topic: string): { name: string, isPublic: boolean } {
  if (!isProduced(topic)) return { name: topic, isPublic: true }
  const [route, key] = JSON.parse(topic.slice(1)) as [route: string, key: string]
  const [method, path] = JSON.parse(route) as [method: string | string[], path: string]
  return { name: `${String(method)} ${path} · ${key}`, isPublic: false }
}
