import { SheafError } from '../../core/errors.js'
import { TRACE_PARENT_CHARACTERS_MAX, type TraceParent } from '../../core/tracing.js'
import type { Value } from '../../domain/cbor.js'
import { CborReader } from '../../domain/cbor-reader.js'
import { encodeValue } from '../../domain/cbor-writer.js'
import { mapOf } from '../../domain/value-fields.js'

/** @returns a message body: a canonical CBOR map; fields that are undefined are left out */
export function encodeMessage(fields: Readonly<Record<string, Value | undefined>>): Uint8Array {
  return encodeValue(mapOf(fields))
}

/**
 * A peer's message, read field by field. Peers are not trusted: each field is read with its type and bound, and a misfit
 * throws `ERR_PEER_PROTOCOL`. Fields that are not read are ignored, so that newer peers may send more.
 */
export class Message {
  readonly #fields: ReadonlyMap<string, Value>

  private constructor(fields: ReadonlyMap<string, Value>) {
    this.#fields = fields
  }

  static decode(body: Uint8Array): Message {
    try {
      const reader = new CborReader(body)
      const fields = reader.map()
      reader.end()
      return new Message(fields)
    } catch (cause) {
      throw new SheafError('ERR_PEER_PROTOCOL', 'a peer sent a message that is not a map in canonical CBOR', { cause })
    }
  }

  /** For optional fields. */
  has(name: string): boolean {
    return this.#fields.has(name)
  }

  text(name: string, charactersMax: number): string {
    const value = this.#fields.get(name)
    if (typeof value !== 'string' || value.length > charactersMax) throw invalidField(name)
    return value
  }

  texts(name: string, countMax: number, charactersMax: number): string[] {
    const value = this.#fields.get(name)
    if (!Array.isArray(value) || value.length > countMax) throw invalidField(name)
    return value.map((text: Value) => {
      if (typeof text !== 'string' || text.length > charactersMax) throw invalidField(name)
      return text
    })
  }

  byteStrings(name: string, countMax: number): Uint8Array[] {
    const value = this.#fields.get(name)
    if (!Array.isArray(value) || value.length > countMax) throw invalidField(name)
    return value.map((bytes: Value) => {
      if (!(bytes instanceof Uint8Array)) throw invalidField(name)
      return bytes
    })
  }

  /** @returns an integer in [0, max] */
  uint(name: string, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#fields.get(name)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) throw invalidField(name)
    return value
  }

  bytes(name: string, byteCountMax: number): Uint8Array {
    const value = this.#fields.get(name)
    if (!(value instanceof Uint8Array) || value.byteLength > byteCountMax) throw invalidField(name)
    return value
  }

  /** @param read - reads one element, which is a message itself */
  list<Element>(name: string, countMax: number, read: (element: Message) => Element): Element[] {
    const value = this.#fields.get(name)
    if (!Array.isArray(value) || value.length > countMax) throw invalidField(name)
    return value.map((element: Value) => {
      if (!(element instanceof Map)) throw invalidField(name)
      return read(new Message(element))
    })
  }
}

/** @returns the field `trace`, which any message may have; undefined: nobody traces it */
export function traceOf(message: Message): TraceParent | undefined {
  return message.has('trace') ? message.text('trace', TRACE_PARENT_CHARACTERS_MAX) : undefined
}

export function invalidField(name: string): SheafError {
  return new SheafError('ERR_PEER_PROTOCOL', `a peer sent a message whose field "${name}" is missing or out of bounds`)
}
