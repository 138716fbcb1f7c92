/** Namespaces of a program's own: what it mounts and cuts in them is nobody else's, and is gone with it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

type Kind = 'mount' | 'net'

// In the environment of a program that has them.
const MARK = 'PASTELLI_NAMESPACES'

// Of a program that could not do what it is for.
const SKIPPED = 3

/** The command that runs another one in new namespaces; null where that is not allowed, or not there. */
export function unshare (...kinds: Kind[]): string[] | null {
  const command = ['unshare', ...process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'], ...kinds.map((kind) => `--${kind}`)]
  return run([...command, 'true']) ? command : null
}

/**
 * Resolves in namespaces of its own: the program is run again in them, and this process only waits for that, and ends as it
 * ends. Where there can be none it says so in one line, and ends with 3.
 */
export async function enter (...kinds: Kind[]): Promise<void> {
  if (process.env[MARK] === kinds.join()) {
    process.once('disconnect', () => { process.exit(1) })   // whoever waits for it is gone
    process.channel?.unref()
    return
  }
  const command = unshare(...kinds)
  if (command === null) {
    console.log(`SKIP: no namespaces (${kinds.join()}) for this user`)
    process.exit(SKIPPED)
  }
  const [program, ...rest] = [...command, process.execPath, ...process.execArgv, ...process.argv.slice(1)] as [string, ...string[]]
  const child = spawn(program, rest, { env: { ...process.env, [MARK]: kinds.join() }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { child.kill(signal) })
  const [code] = await once(child, 'exit') as [number | null]
  process.exit(code ?? 1)
}

/** @throws with what the command has said */
export function sure (...command: string[]): void {
  const [program, ...rest] = command as [string, ...string[]]
  const { status, stderr, error } = spawnSync(program, rest, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

function run ([program, ...rest]: string[]): boolean {
  return spawnSync(program as string, rest, { stdio: 'ignore' }).status === 0
}
