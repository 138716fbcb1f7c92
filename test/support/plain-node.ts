/** The environment of Node processes that tests start: without tap's loader, which takes longer to load than what they are, and is not asked for their coverage. */
export function plainNode (): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, ...rest } = process.env
  return rest
}
