/**
 * Whose pages may open a WebSocket: a browser sends its cookies along whichever page asks, and asks nobody.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-10.2
 */

/**
 * - a list of origins, such as `https://example.com`, as texts or patterns
 * - a function from the `Origin` header, undefined where there is none, and the request, sync or async
 * - `'*'`: everybody's
 * - null: those of the host that was asked
 */
export type AllowedOrigins<Request = unknown> =
  | '*'
  | ReadonlyArray<string | RegExp>
  | ((origin: string | undefined, request: Request) => boolean | Promise<boolean>)
  | null

/** In words, for errors. */
export const ORIGINS_RULE = 'null, "*", a list of origins such as "https://example.com" or patterns, or a function from an origin and a request to a boolean'

export function areOrigins (value: unknown): boolean {
  if (value === null || value === '*' || typeof value === 'function') return true
  return Array.isArray(value) && value.every((origin: unknown) => origin instanceof RegExp || (typeof origin === 'string' && hostOf(origin) !== null && new URL(origin).origin === origin))
}

/**
 * Who sends no `Origin` is no page, and none that can be turned against its user.
 * @param host the one that was asked for, with its port
 */
export function allowsOrigin<Request> (allowed: AllowedOrigins<Request>, origin: string | undefined, host: string, request: Request): boolean | Promise<boolean> {
  if (typeof allowed === 'function') return allowed(origin, request)
  if (allowed === '*' || origin === undefined) return true
  if (allowed === null) return hostOf(origin) === host.toLowerCase()
  return allowed.some((one) => typeof one === 'string' ? one === origin : origin.search(one) !== -1)
}

/** With its port; null if there is none. */
export function hostOf (origin: string): string | null {
  try {
    return new URL(origin).host
  } catch {
    return null   // such as `null`, of a sandboxed page
  }
}
