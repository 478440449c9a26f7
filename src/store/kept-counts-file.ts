/*
 * The file of what was counted of the volumes ("counts"). It is a cache of one process for the next one.
 *
 *   bytes  field
 *       4  CRC-32 of all that follows, little-endian
 *       4  format, 1, little-endian: of the rules by which needles are counted as well
 *       …  numbers, each an IEEE 754 double, little-endian: how long compaction keeps what was deleted, ms; then the volumes
 *
 *   volume  epoch, high 32 bits · low 32 bits · sequence · its length when it was counted, bytes · number of parts · parts
 *   part    first byte · end, +∞ of the last one while it has room · needles, −1 where it is to be counted anew: then this
 *           is all · live bytes · dead bytes · the age at which the oldest delete was heard of, NaN: none · offset of the
 *           last needle of a buried photo, 0: none · ms from the count to the writing of this file · when it was counted, ms
 *           since the Unix epoch · number of pairs · pairs of an age and of the bytes that compaction keeps from then on
 *
 * Valid: checksum, format, and as many numbers as they say.
 */
import { crc32 } from '@node-rs/crc32'
import { type ActorId, parseVolumeId, type VolumeId, volumeId } from '../domain/ids.js'
import { type Counted, type Part, uncounted } from '../volumes/tally.js'

const FORMAT = 1
const HEADER_BYTES = 8
const NUMBER_BYTES = 8

export type CountedVolumes = ReadonlyMap<VolumeId, Counted>

/**
 * @param graceMs - how long compaction keeps what was deleted
 * @param nowMs - monotonic
 */
export function encodeCounts(
  counts: CountedVolumes,
  { graceMs, nowMs }: { graceMs: number; nowMs: number }
): Uint8Array {
  const numbers = [graceMs]
  for (const [id, { end, parts }] of counts) {
    const { epoch, sequence } = parseVolumeId(id) as { epoch: ActorId; sequence: number }
    const halves = [epoch.slice(0, 8), epoch.slice(8)].map(half => Number.parseInt(half, 16))
    numbers.push(...halves, sequence, end, parts.length)
    for (const part of parts) numbers.push(...numbersOf(part, nowMs))
  }
  const bytes = Buffer.alloc(HEADER_BYTES + numbers.length * NUMBER_BYTES)
  bytes.writeUInt32LE(FORMAT, 4)
  for (const [i, number] of numbers.entries()) bytes.writeDoubleLE(number, HEADER_BYTES + i * NUMBER_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

function numbersOf({ from, to, tally }: Part, nowMs: number): number[] {
  if (tally === undefined) return [from, to, -1]
  const { rows, liveBytes, deadBytes, oldestHeardAt = Number.NaN, buriedAt, countedAt, countedWallAt } = tally
  const pairs = [...tally.gracedBytes].flat()
  const counted = [rows, liveBytes, deadBytes, oldestHeardAt, buriedAt, nowMs - countedAt, countedWallAt]
  return [from, to, ...counted, pairs.length / 2, ...pairs]
}

/** @returns undefined for anything that is not valid, or was counted with another `graceMs` */
export function decodeCounts(
  bytes: Uint8Array,
  { graceMs, nowMs }: { graceMs: number; nowMs: number }
): CountedVolumes | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.byteLength < HEADER_BYTES || view.readUInt32LE(0) !== crc32(view.subarray(4))) return undefined
  if (view.readUInt32LE(4) !== FORMAT) return undefined
  let at = HEADER_BYTES
  const next = (): number => {
    const number = view.readDoubleLE(at) // throws behind the end
    at += NUMBER_BYTES
    return number
  }
  const nextPart = (): Part => {
    const [from, to, rows] = [next(), next(), next()]
    if (rows < 0) return uncounted(from, to)
    const [liveBytes, deadBytes, oldest, buriedAt, agoMs, countedWallAt] = [
      next(),
      next(),
      next(),
      next(),
      next(),
      next()
    ]
    const gracedBytes = new Map(Array.from({ length: next() }, () => [next(), next()]))
    const oldestHeardAt = Number.isNaN(oldest) ? undefined : oldest
    const bytesOf = { liveBytes, deadBytes, gracedBytes, oldestHeardAt, buriedAt }
    const holds = { holdsLaidOut: false, holdsHeard: false, holdsUnknown: false }
    return { from, to, isStale: false, tally: { rows, ...bytesOf, ...holds, countedAt: nowMs - agoMs, countedWallAt } }
  }
  try {
    if (next() !== graceMs) return undefined
    const counts = new Map<VolumeId, Counted>()
    while (at < view.byteLength) {
      const epoch = [next(), next()].map(half => half.toString(16).padStart(8, '0')).join('')
      const id = volumeId(epoch as ActorId, next())
      counts.set(id, { end: next(), parts: Array.from({ length: next() }, nextPart) })
    }
    return counts
  } catch (err) {
    if (err instanceof RangeError) return undefined
    throw err
  }
}
