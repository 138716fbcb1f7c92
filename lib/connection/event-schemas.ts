/** The events of a route, by schema: which there are, and how the data of each is serialised. */
import { PST_ERR_DATA, PST_ERR_EVENT } from '../errors.ts'

/** Makes a function that turns data into JSON as the schema says. */
export type CompileSchema = (schema: unknown) => (data: never) => string

interface Known {
  schema: unknown
  /** What the schema wants, one of them; null: anything. */
  types: readonly string[] | null
  serialize: ((data: unknown) => string) | null
}

// [spec] the type of an event that has none.
const DEFAULT_TYPE = 'message'

export class EventSchemas {
  readonly #events: ReadonlyMap<string, Known>
  #isCompiled = false

  /** @param schemas by the type of the event */
  constructor (schemas: Readonly<Record<string, unknown>>) {
    this.#events = new Map(Object.entries(schemas).map(([event, schema]) => [event, { schema, types: typesOf(schema), serialize: null }]))
  }

  /** Compiles all of them, once. */
  compile (compile: CompileSchema): void {
    if (this.#isCompiled) return
    for (const known of this.#events.values()) known.serialize = compile(known.schema) as (data: unknown) => string
    this.#isCompiled = true
  }

  /**
   * The JSON of an event's data; null for none, and for text that its schema says is text, which goes out verbatim.
   * @throws PST_ERR_EVENT, PST_ERR_DATA
   */
  serialize (event: string = DEFAULT_TYPE, data: unknown): string | null {
    const known = this.#events.get(event)
    if (known === undefined || known.serialize === null) throw new PST_ERR_EVENT(JSON.stringify(event), [...this.#events.keys()].join(', '))
    if (data === undefined) return null   // no data, or what is refused anyhow
    const { types } = known
    if (types !== null && !isOfOne(data, types)) throw new PST_ERR_DATA(`the schema of "${event}" wants ${types.join(' or ')}, got ${data === null ? 'null' : typeof data}`)
    if (typeof data === 'string') return null
    try {
      return known.serialize(data).toWellFormed()
    } catch (cause) {
      throw Object.assign(new PST_ERR_DATA(cause instanceof Error ? cause.message : String(cause)), { cause })
    }
  }
}

function typesOf (schema: unknown): string[] | null {
  const { type } = Object(schema) as { type?: unknown }
  return typeof type === 'string' ? [type] : Array.isArray(type) ? type.map(String) : null
}

function isOfOne (data: unknown, types: readonly string[]): boolean {
  for (const type of types) if (isOfType(data, type)) return true
  return false
}

// A serialiser takes nearly anything for what its schema says, and would send `{}` for a text.
function isOfType (data: unknown, type: string): boolean {
  switch (type) {
    case 'object': return typeof data === 'object' && data !== null && !Array.isArray(data)
    case 'array': return Array.isArray(data)
    case 'integer': return typeof data === 'bigint' || Number.isInteger(data)
    case 'number': return typeof data === 'number' && Number.isFinite(data)
    case 'string': return typeof data === 'string' || data instanceof Date
    case 'boolean': return typeof data === 'boolean'
    default: return data === null
  }
}
