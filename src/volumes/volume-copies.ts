import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { CopyTail } from './copy-tail.js'
import type { DiskReserve } from './disk-reserve.js'
import { writeError, writeWhole } from './durable-write.js'
import { type ParsedNeedles, parseNeedles } from './needle-parser.js'
import type { Volume } from './volume.js'
import type { VolumeSet } from './volume-set.js'

export interface VolumeCopiesComponents {
  readonly volumes: VolumeSet
  readonly reserve: Pick<DiskReserve, 'admit'>
  /** Retired volumes do not grow, even if a transfer is still running. Default: no volume is retired. */
  readonly isRetired?: (volume: VolumeId) => boolean
}

/** Progress of a copy, or of filling a hole. */
export interface CopyProgress {
  /** Everything before this offset was verified and accepted. */
  readonly end: number
  /** Size of the needle at `end` if its header was received; else 0. */
  readonly nextBytes: number
  /**
   * Resolves when the accepted bytes are durable and applied. Rejects with `ERR_DISK_FULL`, `ERR_DISK_WRITE`,
   * `ERR_DIRECTORY_UNAVAILABLE`.
   */
  readonly durable: Promise<void>
}

const DONE = Promise.resolve()

/**
 * Byte-identical copies of volumes that other processes write. A copy only ever receives its writer's bytes; every needle is
 * verified, made durable and applied before it counts. Any peer may supply the bytes, because the checksums are seeded with
 * volume and offset.
 */
export class VolumeCopies {
  readonly #volumes: VolumeSet
  readonly #reserve: Pick<DiskReserve, 'admit'>
  readonly #isRetired: (volume: VolumeId) => boolean
  /** Serializes the methods per volume; the writes of `extend` continue after it has released the lock. */
  readonly #lock = new KeyedLock()
  /** Tails of the copies with pending writes. */
  readonly #tails = new Map<VolumeId, CopyTail>()

  constructor(components: VolumeCopiesComponents) {
    this.#volumes = components.volumes
    this.#reserve = components.reserve
    this.#isRetired = components.isRetired ?? (() => false)
  }

  /**
   * Creates a copy; returns the volume if this node already has it.
   *
   * @param superblock - 256 bytes, as its writer signed them
   * @throws `ERR_VOLUME_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  begin(id: VolumeId, superblock: Uint8Array): Promise<Volume> {
    return this.#lock.run(id, async () => this.#volumes.get(id) ?? this.#volumes.createCopy(id, superblock))
  }

  /**
   * Appends the complete needles in bytes from a peer to the copy. They are verified before this returns and written
   * afterwards, while the caller fetches more: await `durable` to bound the bytes in flight.
   *
   * @param from - offset of the bytes in the volume; bytes that the copy already has are skipped
   * @param bytes - must not change until `durable` settles
   * @throws `ERR_NEEDLE_CORRUPT`: the bytes begin with damage, none was accepted; `ERR_DISK_FULL`; `ERR_DISK_WRITE`: the copy has failed
   */
  extend(volume: Volume, from: number, bytes: Uint8Array): Promise<CopyProgress> {
    return this.#lock.run(volume.id, async () => {
      if (volume.state === 'failed')
        throw new SheafError('ERR_DISK_WRITE', undefined, { details: { volume: volume.id } })
      const tail = this.#tail(volume)
      const { end: offset, chain } = tail
      const behind = offset - from
      const takesNoMore = volume.state === 'active' || this.#isClosed(volume)
      if (behind < 0 || behind > bytes.byteLength || takesNoMore) {
        return { end: offset, nextBytes: 0, durable: DONE }
      }
      const { id, seed } = volume
      const parsed = parseNeedles(bytes.subarray(behind), { volume: id, seed, offset, chain })
      if (parsed.byteCount === 0) return { end: offset, nextBytes: parsed.nextBytes, durable: DONE }
      await this.#reserve.admit(parsed.byteCount)
      const durable = this.#append(volume, tail, bytes.subarray(behind, behind + parsed.byteCount), parsed)
      return { end: tail.end, nextBytes: parsed.nextBytes, durable }
    })
  }

  /**
   * Removes a volume once all bytes that were accepted for it are durable and applied, or have failed.
   *
   * @param end - up to where the caller knows that all needles are safe elsewhere
   * @returns whether it is gone; false: it has grown beyond `end`, so the caller has to look again
   * @throws `ERR_DIRECTORY_UNAVAILABLE`
   */
  remove(volume: Volume, end: number): Promise<boolean> {
    return this.#lock.run(volume.id, async () => {
      await this.#settle(volume)
      return this.#volumes.remove(volume, end)
    })
  }

  /** @returns the end of the volume on this node, bytes whose write is pending included */
  end({ id, end }: Volume): number {
    return this.#tails.get(id)?.end ?? end
  }

  /** Skips a range that no peer can supply now: notes a hole, to be filled later. */
  skip(volume: Volume, to: number): Promise<void> {
    return this.#lock.run(volume.id, async () => {
      await this.#settle(volume)
      if (to <= volume.end || volume.state === 'active' || this.#isClosed(volume)) return
      volume.noteHole({ from: volume.end, to }, 'missing')
      // an empty group behind the hole: the directory has a gap there, and recovery knows that the copy was that long
      await this.#volumes.commit(volume, { volume: volume.id, from: to, to, needles: [], chain: volume.chain })
    })
  }

  /**
   * Fills a damaged or missing range with the complete needles in `bytes`.
   *
   * @param from - a needle boundary in a hole
   * @throws `ERR_NEEDLE_CORRUPT`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_DIRECTORY_UNAVAILABLE`: the hole stays
   */
  fill(volume: Volume, from: number, bytes: Uint8Array): Promise<CopyProgress> {
    return this.#lock.run(volume.id, async () => {
      await this.#settle(volume) // closing the last hole recomputes the chain
      const hole = volume.holes.find(range => range.from <= from && from < range.to)
      if (hole === undefined || this.#isClosed(volume)) return { end: from, nextBytes: 0, durable: DONE }
      const { id, seed, chain } = volume
      const parsed = parseNeedles(bytes.subarray(0, hole.to - from), { volume: id, seed, offset: from, chain })
      const to = from + parsed.byteCount
      if (parsed.byteCount === 0) return { end: from, nextBytes: parsed.nextBytes, durable: DONE }
      await this.#write(volume, from, bytes.subarray(0, parsed.byteCount))
      await this.#volumes.closeHole(volume, { from, to }, parsed.needles)
      return { end: to, nextBytes: parsed.nextBytes, durable: DONE }
    })
  }

  /**
   * Replaces a damaged superblock.
   *
   * @param superblock - 256 bytes, as the volume's writer signed them
   * @throws `ERR_VOLUME_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_WRITE`
   */
  repairSuperblock(volume: Volume, superblock: Uint8Array): Promise<void> {
    return this.#lock.run(volume.id, async () => {
      if (volume.superblock !== undefined || !this.#volumes.has(volume)) return
      const decoded = this.#volumes.superblockOf(volume.id, superblock)
      await this.#write(volume, 0, superblock.subarray(0, SUPERBLOCK_BYTES))
      await this.#volumes.closeHole(volume, { from: 0, to: SUPERBLOCK_BYTES }, [])
      volume.superblock = decoded
    })
  }

  /** Whether it was retired, or removed while a transfer was running. */
  #isClosed(volume: Volume): boolean {
    return this.#isRetired(volume.id) || !this.#volumes.has(volume)
  }

  #tail(volume: Volume): CopyTail {
    const growing = this.#tails.get(volume.id)
    if (growing?.idle === false) return growing
    return new CopyTail(volume, group => this.#volumes.commit(volume, group))
  }

  #append(volume: Volume, tail: CopyTail, bytes: Uint8Array, parsed: ParsedNeedles): Promise<void> {
    this.#tails.set(volume.id, tail)
    const durable = tail.append(bytes, parsed)
    durable.catch(() => {}) // the caller may await it only after it has failed
    void tail.drain().then(() => {
      if (tail.idle && this.#tails.get(volume.id) === tail) this.#tails.delete(volume.id)
    })
    return durable
  }

  /** Waits until all accepted bytes are durable or have failed. */
  async #settle(volume: Volume): Promise<void> {
    await this.#tails.get(volume.id)?.drain()
    this.#tails.delete(volume.id)
  }

  /** Writes and syncs. After a failure the copy grows no more until the next start; its holes can still be filled. */
  async #write(volume: Volume, position: number, bytes: Uint8Array): Promise<void> {
    try {
      await writeWhole(volume.file, [bytes], position)
      await volume.file.sync()
    } catch (cause) {
      volume.state = 'failed'
      throw writeError(cause, volume.id)
    }
  }
}
