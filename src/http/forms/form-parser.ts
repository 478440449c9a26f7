/*
 * multipart/form-data (RFC 7578 over RFC 2046):
 *
 *   preamble, ignored
 *   --boundary [blanks] CRLF  headers CRLF CRLF  bytes CRLF      once per part
 *   --boundary--
 *   epilogue, ignored
 *
 * The CRLF before a boundary belongs to the boundary. Why not a library: the parser that the common ones share hangs on valid
 * forms (a field as long as its stream's buffer, followed by another part).
 */
import { SheafError } from '../../core/errors.js'

const CR = 0x0d
const DASH = 0x2d
const EMPTY = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')
const HEADER_BYTES_MAX = 16 * 1024
/** Limit on spaces and tabs after a boundary. */
const PADDING_BYTES_MAX = 256

export type FormEvent =
  /** A part begins. Headers by lower-case name, one character per byte; the first of repeated ones. */
  | { readonly kind: 'part'; readonly headers: ReadonlyMap<string, string> }
  /** Bytes of the part; a view of the chunk where possible. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The part is complete. */
  | { readonly kind: 'end' }

/** Splits a form into its parts as it arrives. Buffers at most a possible start of a boundary, or incomplete headers. */
export class FormParser {
  readonly #delimiter: Buffer
  #state: 'preamble' | 'boundary' | 'headers' | 'data' | 'closed' = 'preamble'
  /** Bytes to be parsed with the next chunk. Begins with a CRLF, because the first boundary may have none before it. */
  #rest: Buffer = CRLF

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** The closing boundary was read: the form is complete. */
  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Iterate to the end before the next call. @throws `ERR_BAD_REQUEST` */
  *feed(chunk: Uint8Array): Generator<FormEvent> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = EMPTY
    for (let at: number | undefined = 0; at !== undefined; ) {
      switch (this.#state) {
        case 'preamble':
        case 'data':
          at = yield* this.#passData(data, at)
          break
        case 'boundary':
          at = this.#passBoundary(data, at)
          break
        case 'headers':
          at = yield* this.#passHeaders(data, at)
          break
        case 'closed':
          return
      }
    }
  }

  /** The `#pass…` methods start at `at`. @returns where the next state starts; undefined when more bytes are needed */
  *#passData(data: Buffer, at: number): Generator<FormEvent, number | undefined> {
    const found = data.indexOf(this.#delimiter, at)
    const end = found === -1 ? this.#dataEnd(data, at) : found
    if (this.#state === 'data') {
      if (end > at) yield { kind: 'data', bytes: data.subarray(at, end) }
      if (found !== -1) yield { kind: 'end' }
    }
    if (found === -1) return this.#keep(data, end)
    this.#state = 'boundary'
    return found + this.#delimiter.length
  }

  #passBoundary(data: Buffer, at: number): number | undefined {
    if (data[at] === DASH && data[at + 1] === DASH) {
      this.#state = 'closed'
      return at + 2
    }
    const end = data.indexOf(CRLF, at)
    if (end === -1 && data.length - at <= PADDING_BYTES_MAX) return this.#keep(data, at)
    if (end === -1 || !/^[ \t]*$/.test(data.toString('latin1', at, end)))
      throw malformed('a boundary is followed by other text')
    this.#state = 'headers'
    // The CRLF is left for the headers, so that a part without headers ends like all others.
    return end
  }

  *#passHeaders(data: Buffer, at: number): Generator<FormEvent, number | undefined> {
    const end = data.indexOf(HEADERS_END, at)
    if ((end === -1 ? data.length : end) - at > HEADER_BYTES_MAX)
      throw malformed('the headers of a part take more than 16 KiB')
    if (end === -1) return this.#keep(data, at)
    yield { kind: 'part', headers: parseHeaders(data.toString('latin1', at, end)) }
    this.#state = 'data'
    return end + HEADERS_END.length
  }

  #keep(data: Buffer, from: number): undefined {
    this.#rest = data.subarray(from)
  }

  /** The end of what is certainly data: the rest may be the beginning of a delimiter. */
  #dataEnd(data: Buffer, at: number): number {
    const earliest = Math.max(at, data.length - this.#delimiter.length + 1)
    for (let i = data.indexOf(CR, earliest); i !== -1; i = data.indexOf(CR, i + 1)) {
      if (data.subarray(i).equals(this.#delimiter.subarray(0, data.length - i))) return i
    }
    return data.length
  }
}

function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon <= 0 || /\s/.test(name)) throw malformed('a part has a malformed header')
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}

function malformed(message: string): SheafError {
  return new SheafError('ERR_BAD_REQUEST', `the form is malformed: ${message}`)
}
