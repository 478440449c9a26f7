/*
 * The frames of RPC streams and of bulk streams. Numbers are big-endian.
 *
 *   offset  bytes  field
 *   0       4      length of the frame after this field: 5 to FRAME_BYTES_MAX
 *   4       1      type
 *   5       4      id: chosen by the caller, unique among its calls in flight; 0 on bulk streams
 *   9       …      by type:
 *
 *   type        the rest
 *   1 request   1 byte length of the method's name (1…64), the name in ASCII, body of at most REQUEST_BYTES_MAX
 *   2 answer    body of at most REQUEST_BYTES_MAX
 *   3 error     1 byte length of the code (1…64), the code in ASCII, message in UTF-8 of at most 1024 bytes
 *   4 notify    as a request; there is no answer, the id is 0
 *   5 cancel    empty: the caller no longer waits for the answer
 *   6 piece     1 to REQUEST_BYTES_MAX bytes of a bulk answer
 *   7 end       empty: the bulk answer is complete
 *
 * A caller sends 1, 4 and 5, and receives 2 and 3. A bulk stream carries one 1, then any number of 6, last one 7 or 3.
 * Anything else is malformed and ends the stream. There are no checksums: the stream is authenticated and encrypted.
 */
import { ERROR_CODES, type ErrorCode, SheafError } from '../../core/errors.js'
import { REQUEST_BYTES_MAX } from '../transport.js'

export type Frame =
  | { readonly type: 'request' | 'notify'; readonly id: number; readonly method: string; readonly body: Uint8Array }
  | { readonly type: 'answer' | 'piece'; readonly id: number; readonly body: Uint8Array }
  | { readonly type: 'error'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'cancel' | 'end'; readonly id: number }

const TYPES = { request: 1, answer: 2, error: 3, notify: 4, cancel: 5, piece: 6, end: 7 } as const

const LENGTH_BYTES = 4
/** Type and id. */
const FIXED_BYTES = 5
export const FRAME_HEADER_BYTES = LENGTH_BYTES + FIXED_BYTES
const NAME_BYTES_MAX = 64
const MESSAGE_BYTES_MAX = 1024
const FRAME_BYTES_MAX = FIXED_BYTES + 1 + NAME_BYTES_MAX + REQUEST_BYTES_MAX
export const FRAME_ID_MAX = 0xffff_ffff

const METHOD = /^[a-z][a-z0-9.-]*$/
const CODE = /^ERR_[A-Z0-9_]+$/
const EMPTY = new Uint8Array(0)

/** @returns the parts of the frame, to be sent one after the other; a body is not copied */
export function encodeFrame(frame: Frame): Uint8Array[] {
  switch (frame.type) {
    case 'request':
    case 'notify':
      return join(frame, named(frame.method), frame.body)
    case 'answer':
    case 'piece':
      return join(frame, EMPTY, frame.body)
    case 'error':
      return join(frame, named(frame.code), boundedText(frame.message))
    case 'cancel':
    case 'end':
      return join(frame, EMPTY, EMPTY)
  }
}

/** Cuts a stream of bytes, arriving in arbitrary pieces, into frames. */
export class FrameParser {
  readonly #cutPieces: boolean
  #pieces: Uint8Array[] = []
  /** Bytes in `#pieces`. */
  #byteCount = 0
  /** Length of the incomplete frame, once it is known. */
  #frameBytes: number | undefined
  /** Of a bulk piece that is yielded in parts: the bytes to come, and the frame's id. */
  #partBytes = 0
  #partId = 0

  /** @param init.cutPieces - yields a bulk piece in parts as it arrives, which saves a copy */
  constructor(init: { readonly cutPieces?: boolean } = {}) {
    this.#cutPieces = init.cutPieces ?? false
  }

  /**
   * Takes the next bytes and yields the frames that they complete. Bodies are views of the pieces.
   *
   * @throws `ERR_PEER_PROTOCOL` for a malformed frame; the parser is unusable afterwards
   */
  *push(piece: Uint8Array): Generator<Frame> {
    if (piece.length > 0) this.#pieces.push(piece)
    this.#byteCount += piece.length
    for (;;) {
      while (this.#partBytes > 0) {
        const first = this.#pieces[0]
        if (first === undefined) return
        const body = this.#take(Math.min(first.length, this.#partBytes))
        this.#partBytes -= body.length
        yield { type: 'piece', id: this.#partId, body }
      }
      if (this.#frameBytes === undefined) {
        if (this.#byteCount < LENGTH_BYTES) return
        const length = view(this.#take(LENGTH_BYTES)).getUint32(0)
        if (length < FIXED_BYTES || length > FRAME_BYTES_MAX) throw malformed(`a length of ${length}`)
        this.#frameBytes = length
      }
      if (this.#beginsPiece(this.#frameBytes)) continue
      if (this.#byteCount < this.#frameBytes) return
      const frame = this.#take(this.#frameBytes)
      this.#frameBytes = undefined
      yield decodeFrame(frame)
    }
  }

  /** @returns whether the frame is a bulk piece that is yielded in parts */
  #beginsPiece(frameBytes: number): boolean {
    const bodyBytes = frameBytes - FIXED_BYTES
    if (!this.#cutPieces || bodyBytes === 0 || bodyBytes > REQUEST_BYTES_MAX) return false
    if (this.#byteCount < FIXED_BYTES || this.#pieces[0]?.[0] !== TYPES.piece) return false
    this.#partId = view(this.#take(FIXED_BYTES)).getUint32(1)
    this.#partBytes = bodyBytes
    this.#frameBytes = undefined
    return true
  }

  /** @param byteCount - at most `#byteCount` */
  #take(byteCount: number): Uint8Array {
    this.#byteCount -= byteCount
    const first = this.#pieces[0] as Uint8Array
    if (first.length > byteCount) {
      this.#pieces[0] = first.subarray(byteCount)
      return first.subarray(0, byteCount)
    }
    if (first.length === byteCount) {
      this.#pieces.shift()
      return first
    }
    const whole = Buffer.concat(this.#pieces)
    this.#pieces = whole.length > byteCount ? [whole.subarray(byteCount)] : []
    return whole.subarray(0, byteCount)
  }
}

/** @returns the error for a frame that is not allowed here: of the wrong type, or with an id that is not expected */
export function unexpected(frame: Frame): SheafError {
  return malformed(`type ${frame.type}`)
}

function decodeFrame(bytes: Uint8Array): Frame {
  const id = view(bytes).getUint32(1)
  const rest = bytes.subarray(FIXED_BYTES)
  switch (bytes[0]) {
    case TYPES.request:
    case TYPES.notify: {
      const { name, after } = readName(rest, METHOD)
      return { type: bytes[0] === TYPES.request ? 'request' : 'notify', id, method: name, body: bounded(after) }
    }
    case TYPES.answer:
      return { type: 'answer', id, body: bounded(rest) }
    case TYPES.piece:
      if (rest.length === 0) throw malformed('an empty piece')
      return { type: 'piece', id, body: bounded(rest) }
    case TYPES.error: {
      const { name, after } = readName(rest, CODE)
      if (after.length > MESSAGE_BYTES_MAX) throw malformed(`a message of ${after.length} bytes`)
      const message = Buffer.from(after).toString()
      // A newer version may have codes that this one does not know.
      if (name in ERROR_CODES) return { type: 'error', id, code: name as ErrorCode, message }
      return { type: 'error', id, code: 'ERR_INTERNAL', message: `${name}: ${message}` }
    }
    case TYPES.cancel:
    case TYPES.end:
      if (rest.length > 0) throw malformed(`${rest.length} bytes too many`)
      return { type: bytes[0] === TYPES.cancel ? 'cancel' : 'end', id }
    default:
      throw malformed(`type ${bytes[0]}`)
  }
}

function readName(bytes: Uint8Array, pattern: RegExp): { readonly name: string; readonly after: Uint8Array } {
  const length = bytes[0] ?? 0
  if (length === 0 || length > NAME_BYTES_MAX || bytes.length < 1 + length) throw malformed(`a name of ${length} bytes`)
  const name = Buffer.from(bytes.subarray(1, 1 + length)).toString('latin1')
  if (!pattern.test(name)) throw malformed('a name with other characters')
  return { name, after: bytes.subarray(1 + length) }
}

function bounded(body: Uint8Array): Uint8Array {
  if (body.length > REQUEST_BYTES_MAX) throw malformed(`a body of ${body.length} bytes`)
  return body
}

function join(frame: Frame, name: Uint8Array, body: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(FRAME_HEADER_BYTES + name.length)
  head.writeUInt32BE(FIXED_BYTES + name.length + body.length, 0)
  head.writeUInt8(TYPES[frame.type], 4)
  head.writeUInt32BE(frame.id, 5)
  head.set(name, FRAME_HEADER_BYTES)
  return body.length === 0 ? [head] : [head, body]
}

function named(name: string): Uint8Array {
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name, 'latin1')])
}

/** Truncates the text; a character that is cut in half becomes U+FFFD at the reader. */
function boundedText(text: string): Uint8Array {
  return Buffer.from(text).subarray(0, MESSAGE_BYTES_MAX)
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function malformed(what: string): SheafError {
  return new SheafError('ERR_PEER_PROTOCOL', `a peer sent a frame with ${what}`)
}
