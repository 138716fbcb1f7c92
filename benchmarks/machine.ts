/** How busy the machine was with anything else while a benchmark ran: where that is much, its times say little. */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

// Of the kernel's accounts of processes, a second.
const TICKS = 100

export class Machine {
  readonly #pids: readonly number[]
  readonly #since = performance.now()
  readonly #busy: number
  readonly #own: number

  /** @param pids the benchmark's own children, which are there from now on until it asks */
  constructor (pids: readonly number[]) {
    this.#pids = [process.pid, ...pids]
    this.#busy = busy()
    this.#own = cpuOf(this.#pids)
  }

  /** Cores that were taken by others, on average; NaN where the system does not tell. */
  get others (): number {
    const seconds = (performance.now() - this.#since) / 1_000
    return Math.max(0, busy() - this.#busy - (cpuOf(this.#pids) - this.#own)) / seconds
  }
}

function busy (): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1_000
}

function cpuOf (pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOfOne(pid), 0)
}

// Its name may have spaces; behind it, the 12th and 13th field are the ticks in user and in system mode.
function cpuOfOne (pid: number): number {
  if (process.platform !== 'linux') return NaN
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
