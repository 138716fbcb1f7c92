/** A small disk, in memory, that can be full: mounted in the program's own namespace. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sure } from './namespaces.ts'

export class Disk {
  readonly folder: string

  private constructor (folder: string) {
    this.folder = folder
  }

  /** @param mebibytes its size */
  static async mount (mebibytes: number): Promise<Disk> {
    const disk = new Disk(await mkdtemp(join(tmpdir(), 'pastelli-disk-')))
    sure('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', disk.folder)
    return disk
  }

  /** Not one byte more can be written. */
  fill (): void {
    const file = openSync(this.#ballast, 'a')
    try {
      for (const size of [64 * 1024, 4096, 1]) writeWhole(file, Buffer.alloc(size))
    } finally {
      closeSync(file)
    }
  }

  makeRoom (): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Whoever wrote to it has to have ended. */
  remove (): void {
    sure('umount', this.folder)
    rmSync(this.folder, { recursive: true })
  }

  get #ballast (): string {
    return join(this.folder, 'ballast')
  }
}

function writeWhole (file: number, bytes: Buffer): void {
  try {
    while (writeSync(file, bytes) === bytes.length);
  } catch (err) {
    if (Object(err).code !== 'ENOSPC') throw err
  }
}
