/** How long a stream whose first item is not there yet stays closed. */

// Until then its source may still fail like any handler; then it opens, so that nobody on the way takes it for dead, ms.
const PATIENCE = 5_000

/**
 * Resolves with the first item, or when that takes too long.
 * @throws what `first` rejects with before that
 */
export function withPatience (first: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, PATIENCE)
    first.then(resolve, reject).finally(() => { clearTimeout(timer) })
  })
}
