/** Programs that tests start themselves: where they are on this machine, and what becomes of a test when they are not there. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Where Debian has servers: in root's PATH only.
const FOR_ROOT = ['/usr/sbin']

/**
 * What goes into a test's `skip`: false if there is one of these, or if there has to be and the test shall fail.
 * @param what is not done without it, loudly
 */
export function without (what: string, names: readonly string[], debian: string): string | false {
  if (find(names) !== undefined || process.env.PASTELLI_REQUIRE_ALL === '1') return false
  const loud = `NOT ${what}: none of ${names.join(', ')} is in PATH (apt-get install ${debian})`
  console.error(loud)
  return loud
}

/** @throws if none of these is there */
export function locate (names: readonly string[]): string {
  const path = find(names)
  if (path === undefined) throw new Error(`none of ${names.join(', ')} is in PATH`)
  return path
}

function find (names: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...FOR_ROOT]
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
