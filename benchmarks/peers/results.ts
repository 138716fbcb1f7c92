/** What was measured, and under which conditions: kept as JSON, and the medians and spreads that reports have of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { type Peer, PEERS, versionOf } from './peers.ts'
import { CORES, type Figure, type Figures } from './stage.ts'

export interface Results {
  conditions: Conditions
  runs: Run[]
}

export interface Conditions {
  date: string
  cores: number
  model: string
  /** GiB */
  memory: number
  kernel: string
  node: string
  /** Whether server and clients had a core each. */
  isPinned: boolean
  isQuick: boolean
  rounds: number
  peers: string[]
  tests: string[]
  versions: Record<string, string>
}

export interface Run {
  test: string
  peer: string
  round: number
  /** null if it does not count. */
  figures: Figures | null
  /** Why not. */
  fault?: string
  /** Cores that others took; null where the system does not tell. */
  others: number | null
}

export interface Summary {
  median: number
  least: number
  most: number
  /** Whether all that is behind it was disturbed by others. */
  isDisturbed: boolean
}

// Cores: more than that, and a run is called disturbed.
const DISTURBED = 0.15
const FILE = 'results.json'

export function conditionsOf (plan: Pick<Conditions, 'isQuick' | 'rounds' | 'peers' | 'tests'>): Conditions {
  const packages = new Set(PEERS.filter(({ name }) => plan.peers.includes(name)).flatMap(({ packages }) => packages))
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memory: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.versions.node,
    isPinned: CORES !== null,
    ...plan,
    versions: Object.fromEntries(Array.from(packages, (name) => [name, versionOf(name)]))
  }
}

/** One that counts, if there is one; those that were disturbed only if there are no others. */
export function summary (runs: readonly Run[], test: string, peer: string, figure: Figure): Summary | undefined {
  const valid = runs.filter((run) => run.test === test && run.peer === peer && run.figures?.[figure] !== undefined)
  const calm = valid.filter((run) => !isDisturbed(run))
  const values = (calm.length > 0 ? calm : valid).map(({ figures }) => figures?.[figure] as number).sort((a, b) => a - b)
  if (values.length === 0) return undefined
  const [low, high] = [values[Math.floor((values.length - 1) / 2)] as number, values[Math.floor(values.length / 2)] as number]
  return { median: (low + high) / 2, least: values[0] as number, most: values.at(-1) as number, isDisturbed: calm.length === 0 }
}

export function isDisturbed ({ others }: Run): boolean {
  return others !== null && others > DISTURBED
}

export function peersOf ({ conditions }: Results): Peer[] {
  return PEERS.filter(({ name }) => conditions.peers.includes(name))
}

/** One run in a line, so that a new measurement reads well as a difference. */
export function save (folder: string, { conditions, runs }: Results): void {
  writeFileSync(join(folder, FILE), `{\n"conditions": ${JSON.stringify(conditions, null, 2)},\n"runs": [\n${runs.map((run) => JSON.stringify(run)).join(',\n')}\n]\n}\n`)
}

export function load (folder: string): Results {
  return JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as Results
}
