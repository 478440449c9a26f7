import {
  type ArchivedPiece,
  type ArchivedVolume,
  chainOf,
  furthest,
  type HeadName,
  isSuperblockOf
} from '../archive/archived-volume.js'
import { PIECE_BYTES, type VolumeArchive } from '../archive/volume-archive.js'
import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { RateLimiter } from '../core/rate-limiter.js'
import { CHAIN_DIGEST_BYTES } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { parseNeedles } from '../volumes/needle-parser.js'
import type { Volume } from '../volumes/volume.js'

/** A head is written after so many pieces, so that an upload that ends early is continued and not begun again. */
const PIECES_PER_HEAD = 64
/** Pieces that are stored and read back at the same time, in memory, 8 MiB each unless one needle is larger. */
const PIECES_IN_FLIGHT = 3

export interface VolumeUploaderComponents {
  readonly archive: VolumeArchive
  readonly clock: Clock
  readonly log: Logger
}

/** Brings what a volume has, and its head in the archive has not, into the archive. */
export class VolumeUploader {
  readonly #components: VolumeUploaderComponents
  readonly #rate: RateLimiter

  constructor(components: VolumeUploaderComponents, { bytesPerSecondMax }: { readonly bytesPerSecondMax: number }) {
    this.#components = components
    this.#rate = new RateLimiter(components.clock, { perSecond: bytesPerSecondMax, burst: PIECE_BYTES })
  }

  /**
   * @param volume - without holes; what it has now is uploaded
   * @param heads - all that are in the archive
   * @returns the same with the volume's new head
   * @throws `ERR_NEEDLE_CORRUPT`, the system's error for what cannot be read; what the archive throws
   */
  async upload(volume: Volume, heads: readonly HeadName[], signal: AbortSignal): Promise<readonly HeadName[]> {
    const { archive, log } = this.#components
    const { id, end: to } = volume
    const known = heads.filter(head => head.volume === id)
    const current = furthest(known.filter(head => archive.isCurrent(head))).get(id)
    let archived = (current && (await this.#read(current, signal))) ?? (await nothingOf(volume))
    let after = heads
    const from = archived.end
    const underWay: { readonly put: Promise<ArchivedPiece>; readonly end: number; readonly digest: string }[] = []
    const noteNext = async (): Promise<void> => {
      const { put, end, digest } = underWay[0] as (typeof underWay)[number]
      const pieces = [...archived.pieces, await put]
      underWay.shift()
      archived = { ...archived, end, digest, pieces }
      if (end === to || pieces.length % PIECES_PER_HEAD === 0)
        after = [...after, await archive.putHead(archived, after, signal)]
    }
    try {
      for (let read = archived; read.end < to; ) {
        const { bytes, digest } = await this.#readVerified(volume, read.end, to, chainOf(read), signal)
        const put = archive.putPiece(id, read.end, bytes, signal)
        read = { ...read, end: read.end + bytes.byteLength, digest }
        underWay.push({ put, end: read.end, digest })
        put.catch(() => {}) // thrown when it is its turn
        if (underWay.length === PIECES_IN_FLIGHT) await noteNext()
        const waitMs = this.#rate.take(bytes.byteLength)
        if (waitMs > 0) await this.#components.clock.sleep(waitMs, signal)
      }
      while (underWay.length > 0) await noteNext()
    } finally {
      await Promise.allSettled(underWay.map(({ put }) => put)) // nothing goes on after the first error
    }
    if (known.length > 0) await archive.sweep(id, signal)
    if (from < to) log.info({ volume: id, from, to }, 'archived a volume')
    return after
  }

  /** As {@link readVerified}; damage becomes a hole, so that other nodes are asked for it. */
  async #readVerified(volume: Volume, from: number, end: number, chain: Uint8Array, signal: AbortSignal) {
    try {
      return await readVerified(volume, from, end, chain)
    } catch (err) {
      if (!hasCode(err, 'ERR_NEEDLE_CORRUPT')) throw err
      for await (const event of volume.verify(from, 0, async () => signal.throwIfAborted())) {
        if (event.kind !== 'hole') continue
        const fields = { volume: volume.id, from: event.from, to: event.to }
        this.#components.log.error(fields, 'this volume has damage; marked it as a hole to be repaired from peers')
        await volume.flushIndex()
        break
      }
      throw err
    }
  }

  /** @returns undefined for a damaged head, which is made anew */
  async #read(head: HeadName, signal: AbortSignal): Promise<ArchivedVolume | undefined> {
    try {
      return await this.#components.archive.read(head, signal)
    } catch (err) {
      if (!hasCode(err, 'ERR_ARCHIVE_DAMAGED')) throw err
      this.#components.log.error({ err, volume: head.volume }, 'the archive has a damaged volume')
      return undefined
    }
  }
}

/** @throws `ERR_NEEDLE_CORRUPT` */
async function nothingOf({ id, file }: Volume): Promise<Omit<ArchivedVolume, 'keyId'>> {
  const superblock = Buffer.alloc(SUPERBLOCK_BYTES)
  await file.read(superblock, 0)
  if (!isSuperblockOf(id, superblock))
    throw new SheafError('ERR_NEEDLE_CORRUPT', 'the superblock of a volume is damaged', { details: { volume: id } })
  const digest = Buffer.alloc(CHAIN_DIGEST_BYTES).toString('hex')
  return { volume: id, end: SUPERBLOCK_BYTES, digest, superblock, pieces: [] }
}

/**
 * @param chain - the volume's chained digest up to `from`
 * @returns whole needles from there on, verified, and the digest up to their end
 * @throws `ERR_NEEDLE_CORRUPT`; the system's error
 */
async function readVerified(
  volume: Volume,
  from: number,
  end: number,
  chain: Uint8Array
): Promise<{ readonly bytes: Uint8Array; readonly digest: string }> {
  const { id, seed } = volume
  for (let byteCount = PIECE_BYTES; ; ) {
    const pieces: Uint8Array[] = []
    for await (const piece of volume.raw(from, Math.min(end, from + byteCount))) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const parsed = parseNeedles(bytes, { volume: id, seed, offset: from, chain })
    if (parsed.byteCount > 0)
      return { bytes: bytes.subarray(0, parsed.byteCount), digest: Buffer.from(parsed.chain).toString('hex') }
    if (parsed.nextBytes <= bytes.byteLength)
      throw new SheafError('ERR_NEEDLE_CORRUPT', 'a volume ends within a needle', { details: { volume: id, from } })
    byteCount = parsed.nextBytes
  }
}
