/** How a figure goes over time. */

/** Slope of the straight line that is nearest to the points, by least squares, in units of y for one of x. */
export function slopeOf (points: ReadonlyArray<readonly [x: number, y: number]>): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const sum = (term: (dx: number, dy: number) => number) => points.reduce((sum, point) => sum + term(point[0] - x, point[1] - y), 0)
  return sum((dx, dy) => dx * dy) / sum((dx) => dx * dx)
}
