/** Where the plugin keeps its own things on objects that are Fastify's. */

/** On an instance: the host of ordinary routes. On a route's config: the host of a stream route. */
export const kHost = Symbol('pastelli.host')

/** On an instance: this process among those that share its log. */
export const kCluster = Symbol('pastelli.cluster')

/** On an instance: what answers upgrades to WebSockets, null if nothing does. */
export const kSockets = Symbol('pastelli.sockets')

/** On a stream route's config: what becomes of an upgrade; absent where there is no WebSocket. */
export const kUpgrade = Symbol('pastelli.upgrade')

/** On a route's config: its handler is watched. */
export const kWatched = Symbol('pastelli.watched')

/** On a reply: its take-over, null while nobody wants one. */
export const kTakeOver = Symbol('pastelli.takeOver')

/** On a reply: what the handler returned, while it is not settled. */
export const kHandling = Symbol('pastelli.handling')
