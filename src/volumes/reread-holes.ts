import type { Clock } from '../core/clock.js'
import { hasCode, systemErrorCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { decodeHeader, NEEDLE_HEADER_BYTES, needleBytes } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { HoleRange } from './index-file.js'
import type { Volume } from './volume.js'
import type { VolumeCopies } from './volume-copies.js'

/** How long the rebuild of a directory waits for rereads: a failing disk can take seconds to return an error. */
const FILLING_MS_MAX = 10_000

export interface RereadHolesComponents {
  readonly copies: Pick<VolumeCopies, 'fill'>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Rereads the holes of volumes that a directory was just filled from, so that needles which can be read now are included.
 * Limited to {@link FILLING_MS_MAX}; the scrubber handles the rest and what cannot be rewritten.
 *
 * @throws `ERR_DIRECTORY_UNAVAILABLE`
 */
export async function rereadHolesBriefly(
  volumes: Iterable<Volume>,
  { copies, clock, log }: RereadHolesComponents
): Promise<void> {
  const over = new AbortController()
  const cancel = clock.schedule(FILLING_MS_MAX, () => over.abort())
  try {
    for (const volume of volumes) {
      try {
        for (const hole of volume.holes) await rereadHole(volume, hole, copies, over.signal)
      } catch (err) {
        if (hasCode(err, 'ERR_DIRECTORY_UNAVAILABLE')) throw err
        log.warn(
          { err, volume: volume.id },
          'could not repair a damaged range of the volume; the next scrub tries again'
        )
      }
    }
  } finally {
    cancel()
  }
}

/**
 * Rereads a hole: a read that failed once may succeed now. Intact needles are rewritten, so that the disk replaces a failing
 * sector, and become available again.
 *
 * @param signal - ends it early, between two needles, without an error
 * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_DIRECTORY_UNAVAILABLE`
 */
export async function rereadHole(
  volume: Volume,
  hole: HoleRange,
  copies: Pick<VolumeCopies, 'fill'>,
  signal: AbortSignal
): Promise<void> {
  for (let at = Math.max(hole.from, SUPERBLOCK_BYTES); at < hole.to && !signal.aborted; ) {
    const head = await read(volume, at, NEEDLE_HEADER_BYTES)
    const header = head && decodeHeader(head, volume.seed, at)
    if (header === undefined) {
      at = (await volume.boundaryAfter(at)) ?? hole.to // damage and what could only not be read may be one hole
      continue
    }
    const byteCount = needleBytes(header.length)
    const bytes = at + byteCount <= hole.to ? await read(volume, at, byteCount) : undefined
    if (bytes !== undefined) await fillIfIntact(volume, at, bytes, copies)
    at += byteCount
  }
}

async function fillIfIntact(
  volume: Volume,
  at: number,
  bytes: Uint8Array,
  copies: Pick<VolumeCopies, 'fill'>
): Promise<void> {
  try {
    await copies.fill(volume, at, bytes)
  } catch (err) {
    if (!hasCode(err, 'ERR_NEEDLE_CORRUPT')) throw err
  }
}

/** @returns undefined when the disk cannot read the range, or the file ends within it */
async function read(volume: Volume, at: number, byteCount: number): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafeSlow(byteCount)
  try {
    return (await volume.file.read(bytes, at)) === byteCount ? bytes : undefined
  } catch (err) {
    if (systemErrorCode(err) === 'EIO') return undefined
    throw err
  }
}
