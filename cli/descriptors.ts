/** Whether this process may open as many connections as it shall. */

// What Node has open besides.
const OWN = 50

/** What is missing, in words; undefined if there is enough, or nobody can tell. */
export function shortage (connections: number): string | undefined {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } }
  const limit = userLimits?.open_files?.soft   // a word if there is none; nothing on Windows
  const needed = connections + OWN
  if (typeof limit !== 'number' || limit >= needed) return undefined
  return `${connections} connections take about ${needed} file descriptors, and this process may have ${limit}: ulimit -n ${needed}`
}
