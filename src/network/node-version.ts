/*
 * What a node tells of its version in the handshake:
 *
 *   bytes  field
 *   2      length of what follows, 5 to 256
 *   2      least record format that the node reads
 *   2      greatest record format that it reads
 *   1      length of the text
 *   ≤ 64   version of the program, printable ASCII
 *   16     what it tells of the time before graves (`told-past.ts`); builds from before that tell nothing
 *   …      fields of later versions, ignored
 *
 * Numbers are big-endian.
 */
import { SheafError } from '../core/errors.js'
import type { FormatRange } from '../domain/formats.js'
import { HLC_ZERO } from '../domain/hlc.js'
import { decodePast, encodePast, obstacleOfPasts, TOLD_PAST_BYTES, type ToldPast } from './told-past.js'

const LENGTH_BYTES = 2
const FIXED_BYTES = 5
const BODY_BYTES_MAX = 256
const PROGRAM_CHARS_MAX = 64

export interface NodeVersion {
  /** Shown to people; decides nothing. */
  readonly program: string
  readonly formats: FormatRange
  /** Undefined: it tells nothing, as if it knew of no horizon and had nothing to keep. */
  readonly past?: ToldPast | undefined
}

/** Of a node that tells nothing. */
const NO_PAST: ToldPast = { horizon: HLC_ZERO, promise: undefined }

/** A longer `program` is cut to 64 characters. */
export function encodeVersion({ program, formats, past }: NodeVersion): Uint8Array {
  const text = Buffer.from(program.slice(0, PROGRAM_CHARS_MAX), 'latin1')
  const told = past === undefined ? new Uint8Array() : encodePast(past)
  const head = Buffer.alloc(LENGTH_BYTES + FIXED_BYTES)
  head.writeUInt16BE(FIXED_BYTES + text.length + told.length, 0)
  head.writeUInt16BE(formats.min, 2)
  head.writeUInt16BE(formats.max, 4)
  head.writeUInt8(text.length, 6)
  return Buffer.concat([head, text, told])
}

/**
 * @param read - returns exactly so many bytes
 * @returns the bytes for {@link decodeVersion}, not looked at but for their length
 * @throws `ERR_PEER_PROTOCOL`; what `read` throws
 */
export async function readVersion(read: (byteCount: number) => Promise<Uint8Array>): Promise<Uint8Array> {
  const length = Buffer.from(await read(LENGTH_BYTES))
  const bodyBytes = length.readUInt16BE()
  if (bodyBytes < FIXED_BYTES || bodyBytes > BODY_BYTES_MAX) throw malformed()
  return Buffer.concat([length, await read(bodyBytes)])
}

/** Inverse of {@link encodeVersion}. @throws `ERR_PEER_PROTOCOL` */
export function decodeVersion(bytes: Uint8Array): NodeVersion {
  const body = Buffer.from(bytes).subarray(LENGTH_BYTES)
  const formats = { min: body.readUInt16BE(0), max: body.readUInt16BE(2) }
  const end = FIXED_BYTES + body.readUInt8(4)
  const program = body.toString('latin1', FIXED_BYTES, end)
  const isProgram = end <= body.length && program.length <= PROGRAM_CHARS_MAX && /^[\x20-\x7e]*$/.test(program)
  if (!isProgram || formats.min < 1 || formats.min > formats.max) throw malformed()
  const rest = body.subarray(end)
  if (rest.length === 0) return { program, formats }
  if (rest.length < TOLD_PAST_BYTES) throw malformed()
  return { program, formats, past: decodePast(rest) }
}

/** @returns undefined when the two can be in one cluster, else why not and which of them has to be upgraded */
export function obstacleBetween(own: NodeVersion, other: NodeVersion): string | undefined {
  const otherIsOlder = other.formats.max < own.formats.min
  if (!otherIsOlder && own.formats.max >= other.formats.min)
    return obstacleOfPasts(own.past ?? NO_PAST, other.past ?? NO_PAST)
  const versions = `this node, ${described(own)}; the other one, ${described(other)}`
  return `no record format in common (${versions}): upgrade ${otherIsOlder ? 'the other node' : 'this node'}, see UPGRADING.md`
}

function described({ program, formats: { min, max } }: NodeVersion): string {
  return `Sheaf ${program}, reads ${min === max ? `format ${min}` : `formats ${min} to ${max}`}`
}

function malformed(): SheafError {
  return new SheafError('ERR_PEER_PROTOCOL', 'the other node told a malformed version')
}
