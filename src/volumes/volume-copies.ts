import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { CopyTail } from './copy-tail.js'
import type { DiskReserve } from './disk-reserve.js'
import { writeError, writeWhole } from './durable-write.js'
import { type ParsedNeedles, parseNeedles } from './needle-parser.js'
import type { DurableGroup } from './needle-store.js'
import type { Volume } from './volume.js'
import type { VolumeSet } from './volume-set.js'

/** After the first failed write of a copy; doubles with each that follows without a success, ms. */
const REST_MS = 1_000
const REST_MS_MAX = 30_000

export interface VolumeCopiesComponents {
  readonly volumes: VolumeSet
  readonly clock: Pick<Clock, 'monotonic'>
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

/** The disk refused to make a copy or to write to it. */
interface Failure {
  readonly restMs: number
  /** Monotonic ms. */
  readonly until: number
}

const DONE = Promise.resolve()

/**
 * Byte-identical copies of volumes that other processes write. A copy only ever receives its writer's bytes; every needle is
 * verified, made durable and applied before it counts. Any peer may supply the bytes, because the checksums are seeded with
 * volume and offset.
 *
 * A copy that could not be written to rests, the longer the more often in a row. Then it is cut back to what is durable, as
 * the next start would, and goes on.
 */
export class VolumeCopies {
  readonly #volumes: VolumeSet
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #reserve: Pick<DiskReserve, 'admit'>
  readonly #isRetired: (volume: VolumeId) => boolean
  /** Serializes the methods per volume; the writes of `extend` continue after it has released the lock. */
  readonly #lock = new KeyedLock()
  /** Tails of the copies with pending writes. */
  readonly #tails = new Map<VolumeId, CopyTail>()
  /** Of the copies that failed and have taken nothing since. */
  readonly #failures = new Map<VolumeId, Failure>()

  constructor(components: VolumeCopiesComponents) {
    this.#volumes = components.volumes
    this.#clock = components.clock
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
    return this.#lock.run(id, async () => {
      const existing = this.#volumes.get(id)
      if (existing !== undefined) return existing
      try {
        const made = await this.#volumes.createCopy(id, superblock)
        this.#failures.delete(id)
        return made
      } catch (err) {
        if (hasCode(err, 'ERR_DISK_WRITE')) this.#rest(id)
        throw err
      }
    })
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
      if (volume.state === 'failed') await this.#recover(volume)
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
      const isGone = await this.#volumes.remove(volume, end)
      if (isGone) this.#failures.delete(volume.id)
      return isGone
    })
  }

  /** Whether the copy takes further bytes, unless it {@link rests}. Volumes of this process never do. */
  grows(volume: Volume): boolean {
    return volume.state === 'closed' || this.#failures.has(volume.id)
  }

  /** Whether the disk refused to make the copy or to write to it lately, so that it had better be left alone for now. */
  rests(id: VolumeId): boolean {
    return (this.#failures.get(id)?.until ?? 0) > this.#clock.monotonic()
  }

  /** Lets all copies be tried again at once. */
  endRests(): void {
    for (const [id, { restMs }] of this.#failures) this.#failures.set(id, { restMs, until: 0 })
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
      await this.#stopGrowth(volume)
      const hole = volume.holes.find(range => range.from <= from && from < range.to)
      if (hole === undefined || !this.#volumes.has(volume)) return { end: from, nextBytes: 0, durable: DONE }
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
      await this.#stopGrowth(volume)
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
    const commit = (group: DurableGroup): Promise<void> => this.#volumes.commit(volume, group)
    return new CopyTail(volume, { commit, failed: () => this.#noteFailure(volume) })
  }

  #append(volume: Volume, tail: CopyTail, bytes: Uint8Array, parsed: ParsedNeedles): Promise<void> {
    this.#tails.set(volume.id, tail)
    const durable = tail.append(bytes, parsed)
    durable.then(
      () => this.#failures.delete(volume.id),
      () => {} // the caller may await it only after it has failed
    )
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

  /**
   * Lets everything that was accepted settle: closing the last hole recomputes the chain. A volume that this process appends
   * to is closed: were the sync of a repair to fail, the appends that wait for theirs would be lost unnoticed.
   */
  async #stopGrowth(volume: Volume): Promise<void> {
    if (volume.state === 'active' && volume.holes.length > 0) await this.#volumes.closeActive()
    await this.#settle(volume)
  }

  /**
   * Cuts off what a failed write or sync left behind the last durable byte. What is written there anew is made durable by the
   * next sync, although the pages of the failed one may count as clean.
   *
   * @throws `ERR_DISK_WRITE`, `ERR_DISK_FULL`
   */
  async #recover(volume: Volume): Promise<void> {
    if (!this.grows(volume) || this.rests(volume.id) || !this.#volumes.has(volume))
      throw new SheafError('ERR_DISK_WRITE', undefined, { details: { volume: volume.id } })
    await this.#settle(volume)
    try {
      if ((await volume.file.size()) > volume.end) await volume.file.truncate(volume.end)
      await volume.file.sync()
    } catch (cause) {
      this.#noteFailure(volume)
      throw writeError(cause, volume.id)
    }
    volume.state = 'closed'
  }

  #noteFailure(volume: Volume): void {
    if (!this.grows(volume)) return // whose tail may have needles that are nowhere else
    this.#rest(volume.id)
    volume.state = 'failed'
  }

  #rest(id: VolumeId): void {
    const restMs = Math.min(REST_MS_MAX, 2 * (this.#failures.get(id)?.restMs ?? REST_MS / 2))
    this.#failures.set(id, { restMs, until: this.#clock.monotonic() + restMs })
  }

  /** Writes and syncs. */
  async #write(volume: Volume, position: number, bytes: Uint8Array): Promise<void> {
    try {
      await writeWhole(volume.file, [bytes], position)
      await volume.file.sync()
    } catch (cause) {
      this.#noteFailure(volume)
      throw writeError(cause, volume.id)
    }
  }
}
