/** What an install of a package brings along, as it lies in this tree. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Installed {
  name: string
  version: string
  license: string
  /** Of the scripts that npm runs when it is installed. */
  scripts: string[]
  /** Of its files, without what is installed below it. */
  bytes: number
}

interface Manifest {
  name: string
  version: string
  license?: string
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
}

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

/**
 * What it depends on and what that depends on, without itself, without peers.
 *
 * @param folder where it lies
 * @returns by the folder of each
 */
export function broughtBy (folder: string, found = new Map<string, Installed>()): Map<string, Installed> {
  for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
    const place = placeOf(name, folder)
    if (found.has(place)) continue
    found.set(place, describe(place))
    broughtBy(place, found)
  }
  return found
}

export function describe (folder: string): Installed {
  const { name, version, license = 'none', scripts = {} } = manifestOf(folder)
  return { name, version, license, scripts: INSTALL_SCRIPTS.filter((script) => script in scripts), bytes: bytesOf(folder) }
}

function manifestOf (folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

// As Node looks it up; not by Node, since not every package exports its manifest.
function placeOf (name: string, from: string): string {
  const place = join(from, 'node_modules', name)
  if (existsSync(join(place, 'package.json'))) return place
  if (dirname(from) === from) throw new Error(`${name} is not installed`)
  return placeOf(name, dirname(from))
}

function bytesOf (folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + bytesOf(path)
    return sum + statSync(path).size
  }, 0)
}
