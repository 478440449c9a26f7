/*
 * What a node tells of its version in the handshake:
 *
 *   bytes  field
 *   2      length of what follows, 5 to 256; 11 at least from builds that know the cluster's format
 *   2      least record format that the node reads
 *   2      greatest record format that it reads
 *   1      length of the text
 *   ≤ 64   version of the program, printable ASCII
 *   2      cluster's record format, as far as the node knows: whoever does not read it is refused
 *   1, 1   least and greatest version of tree comparisons
 *   1, 1   least and greatest version of gossiped records
 *   16     what it tells of the time before graves (`told-past.ts`)
 *   …      fields of later versions, ignored
 *
 * Numbers are big-endian and above 0. Where nothing follows the text, all of the rest is 1, and the cluster's format unknown.
 * The 16 bytes may be missing, too: then the node knows of no horizon, and has nothing to keep.
 */
import { SheafError } from '../core/errors.js'
import { type FormatRange, greatestCommon, type VersionRange } from '../domain/formats.js'
import { HLC_ZERO } from '../domain/hlc.js'
import { decodePast, encodePast, obstacleOfPasts, TOLD_PAST_BYTES, type ToldPast } from './told-past.js'
import { GOSSIP_VERSIONS, TREE_VERSIONS } from './wire-version.js'

const LENGTH_BYTES = 2
const FIXED_BYTES = 5
const MESSAGES_BYTES = 6
const BODY_BYTES_MAX = 256
const PROGRAM_CHARS_MAX = 64

export interface NodeVersion {
  /** Shown to people; decides nothing. */
  readonly program: string
  readonly formats: FormatRange
  /** Of the cluster, as far as the node knows; 1 when it does not. */
  readonly clusterFormat: number
  /** Of tree comparisons. */
  readonly tree: VersionRange
  /** Of gossiped records. */
  readonly gossip: VersionRange
  /** Undefined: it tells nothing, as if it knew of no horizon and had nothing to keep. */
  readonly past?: ToldPast | undefined
}

/** Of a node that tells nothing. */
const NO_PAST: ToldPast = { horizon: HLC_ZERO, promise: undefined }

/** @returns what this program tells while it does not know the cluster's format */
export function ownVersion(program: string, formats: FormatRange): NodeVersion {
  return { program, formats, clusterFormat: 1, tree: TREE_VERSIONS, gossip: GOSSIP_VERSIONS }
}

/** A longer `program` is cut to 64 characters. */
export function encodeVersion({ program, formats, clusterFormat, tree, gossip, past }: NodeVersion): Uint8Array {
  const text = Buffer.from(program.slice(0, PROGRAM_CHARS_MAX), 'latin1')
  const told = past === undefined ? new Uint8Array() : encodePast(past)
  const head = Buffer.alloc(LENGTH_BYTES + FIXED_BYTES)
  head.writeUInt16BE(FIXED_BYTES + text.length + MESSAGES_BYTES + told.length, 0)
  head.writeUInt16BE(formats.min, 2)
  head.writeUInt16BE(formats.max, 4)
  head.writeUInt8(text.length, 6)
  const messages = Buffer.from([0, 0, tree.min, tree.max, gossip.min, gossip.max])
  messages.writeUInt16BE(clusterFormat, 0)
  return Buffer.concat([head, text, messages, told])
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
  if (!isProgram) throw malformed()
  const rest = end === body.length ? Buffer.from([0, 1, 1, 1, 1, 1]) : body.subarray(end)
  if (rest.length < MESSAGES_BYTES) throw malformed()
  const tree = { min: rest.readUInt8(2), max: rest.readUInt8(3) }
  const gossip = { min: rest.readUInt8(4), max: rest.readUInt8(5) }
  const clusterFormat = rest.readUInt16BE(0)
  const areRanges = [formats, tree, gossip].every(({ min, max }) => min >= 1 && min <= max)
  if (!areRanges || clusterFormat === 0) throw malformed()
  const version = { program, formats, clusterFormat, tree, gossip }
  const told = rest.subarray(MESSAGES_BYTES)
  if (told.length === 0) return version
  if (told.length < TOLD_PAST_BYTES) throw malformed()
  return { ...version, past: decodePast(told) }
}

/** @returns undefined when the two can be in one cluster, else why not and which of them has to be upgraded */
export function obstacleBetween(own: NodeVersion, other: NodeVersion): string | undefined {
  const format = Math.max(own.clusterFormat, other.clusterFormat)
  const behind = [
    ...(own.formats.max < format ? ['this node'] : []),
    ...(other.formats.max < format ? ['the other node'] : [])
  ]
  if (behind.length > 0)
    return advice(`the cluster has record format ${format}`, own, other, 'formats', behind.join(' and '))
  for (const [what, field] of [
    ['no record format', 'formats'],
    ['no version of tree comparisons', 'tree'],
    ['no version of gossip', 'gossip']
  ] as const) {
    if (greatestCommon(own[field], other[field]) !== undefined) continue
    const older = other[field].max < own[field].min ? 'the other node' : 'this node'
    return advice(`${what} in common`, own, other, field, older)
  }
  return obstacleOfPasts(own.past ?? NO_PAST, other.past ?? NO_PAST)
}

function advice(
  reason: string,
  own: NodeVersion,
  other: NodeVersion,
  field: 'formats' | 'tree' | 'gossip',
  older: string
): string {
  const described = (version: NodeVersion): string => {
    const { min, max } = version[field]
    const what = field === 'formats' ? 'format' : 'version'
    return `Sheaf ${version.program}, reads ${min === max ? `${what} ${min}` : `${what}s ${min} to ${max}`}`
  }
  const versions = `this node, ${described(own)}; the other one, ${described(other)}`
  return `${reason} (${versions}): upgrade ${older}, see UPGRADING.md`
}

function malformed(): SheafError {
  return new SheafError('ERR_PEER_PROTOCOL', 'the other node told a malformed version')
}
