/** Standard output: written to no faster than it is read. */

/**
 * Resolves when it is written: true, or false if nobody reads any more, as behind `| head`.
 * @throws what else went wrong, such as a disk that is full
 */
export async function print (text: string): Promise<boolean> {
  const ignore = () => {}   // the callback has it too
  process.stdout.once('error', ignore)
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => { process.stdout.write(text, resolve) })
  if (error == null) process.stdout.off('error', ignore)
  else if (error.code !== 'EPIPE') throw error
  return error == null
}
