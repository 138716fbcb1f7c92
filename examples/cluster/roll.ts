/** The nodes, and how they are, as their supervisor publishes it. */

export interface NodeState {
  name: string
  state: 'up' | 'starting' | 'down'
  /** Of its process, if there is one. */
  pid: number | null
}

export type Roll = readonly NodeState[]

export const ROLL = 'nodes'

/** Each is one of the hues of pastel.css. */
export const NAMES = ['peach', 'mint', 'lilac']
