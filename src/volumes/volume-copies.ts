import { KeyedLock } from '../core/keyed-lock.js'
import type { VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { DiskReserve } from './disk-reserve.js'
import { writeFailed, writeWhole } from './durable-write.js'
import { parseNeedles } from './needle-parser.js'
import type { Volume } from './volume.js'
import type { VolumeSet } from './volume-set.js'

export interface VolumeCopiesComponents {
  readonly volumes: VolumeSet
  readonly reserve: Pick<DiskReserve, 'admit'>
  /** Joins records into the directory that stand below what it has applied of their volume. */
  readonly merge: (records: readonly Uint8Array[]) => Promise<unknown>
}

/** Where a copy, or the filled part of a hole, now ends; and what the needle there takes, when its header was seen (else 0). */
export interface CopyProgress {
  readonly end: number
  readonly nextBytes: number
}

/**
 * Byte-identical copies of volumes that other processes write. A copy is only ever extended with its writer's bytes; every
 * needle is verified, made durable and applied before it counts. Who supplies the bytes does not matter: the checksums are
 * seeded with volume and offset.
 */
export class VolumeCopies {
  readonly #volumes: VolumeSet
  readonly #reserve: Pick<DiskReserve, 'admit'>
  readonly #merge: VolumeCopiesComponents['merge']
  /** Extends and fills of one volume run one after the other. */
  readonly #lock = new KeyedLock()

  constructor(components: VolumeCopiesComponents) {
    this.#volumes = components.volumes
    this.#reserve = components.reserve
    this.#merge = components.merge
  }

  /**
   * Begins a copy; harmless when the volume is here.
   *
   * @param superblock - 256 bytes, as its writer signed them
   * @throws `ERR_VOLUME_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  begin(id: VolumeId, superblock: Uint8Array): Promise<Volume> {
    return this.#lock.run(id, async () => this.#volumes.get(id) ?? this.#volumes.createCopy(id, superblock))
  }

  /**
   * Appends what a peer sent to the copy, as far as it is whole needles.
   *
   * @param from - where in the volume the bytes begin; what is here already is passed over
   * @returns where the copy now ends, and how many bytes the next needle takes, when that is known (else 0)
   * @throws `ERR_NEEDLE_CORRUPT`: nothing of the bytes was taken; `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  extend(
    volume: Volume,
    from: number,
    bytes: Uint8Array
  ): Promise<{ readonly end: number; readonly nextBytes: number }> {
    return this.#lock.run(volume.id, async () => {
      const behind = volume.end - from
      if (behind < 0 || behind > bytes.byteLength || volume.state === 'active' || volume.state === 'failed') {
        return { end: volume.end, nextBytes: 0 }
      }
      const { id, seed, end: offset, chain } = volume
      const parsed = parseNeedles(bytes.subarray(behind), { volume: id, seed, offset, chain })
      if (parsed.byteCount === 0) return { end: offset, nextBytes: parsed.nextBytes }
      await this.#reserve.admit(parsed.byteCount)
      await this.#write(volume, offset, bytes.subarray(behind, behind + parsed.byteCount))
      const to = offset + parsed.byteCount
      await this.#volumes.commit(volume, { volume: id, from: offset, to, needles: parsed.needles, chain: parsed.chain })
      return { end: to, nextBytes: parsed.nextBytes }
    })
  }

  /** Passes over a range that nobody can supply now: a hole, to be filled later. */
  skip(volume: Volume, to: number): Promise<void> {
    return this.#lock.run(volume.id, async () => {
      if (to <= volume.end || volume.state === 'active') return
      volume.noteHole({ from: volume.end, to }, 'missing')
      await this.#volumes.commit(volume, { volume: volume.id, from: volume.end, to, needles: [], chain: volume.chain })
    })
  }

  /**
   * Puts a damaged or missing range right, as far as the bytes are whole needles.
   *
   * @param from - a needle boundary in a hole
   * @returns up to where the hole is filled now, and how many bytes the next needle takes, when that is known (else 0)
   * @throws `ERR_NEEDLE_CORRUPT`, `ERR_DISK_FULL`, `ERR_DISK_WRITE`
   */
  fill(volume: Volume, from: number, bytes: Uint8Array): Promise<CopyProgress> {
    return this.#lock.run(volume.id, async () => {
      const hole = volume.holes.find(range => range.from <= from && from < range.to)
      if (hole === undefined || volume.state === 'failed') return { end: from, nextBytes: 0 }
      const { id, seed, chain } = volume
      const parsed = parseNeedles(bytes.subarray(0, hole.to - from), { volume: id, seed, offset: from, chain })
      const to = from + parsed.byteCount
      if (parsed.byteCount === 0) return { end: from, nextBytes: parsed.nextBytes }
      await this.#write(volume, from, bytes.subarray(0, parsed.byteCount))
      await this.#volumes.refill(volume, { from, to }, parsed.needles)
      const records = parsed.needles.flatMap(({ record }) => (record === undefined ? [] : [record]))
      if (records.length > 0) await this.#merge(records)
      return { end: to, nextBytes: parsed.nextBytes }
    })
  }

  /**
   * Puts a damaged superblock right.
   *
   * @param superblock - 256 bytes, as the volume's writer signed them
   * @throws `ERR_VOLUME_CORRUPT`, `ERR_FORMAT_TOO_NEW`, `ERR_DISK_WRITE`
   */
  mend(volume: Volume, superblock: Uint8Array): Promise<void> {
    return this.#lock.run(volume.id, async () => {
      if (volume.superblock !== undefined || volume.state === 'failed') return
      const decoded = this.#volumes.superblockOf(volume.id, superblock)
      await this.#write(volume, 0, superblock.subarray(0, SUPERBLOCK_BYTES))
      volume.superblock = decoded
      await this.#volumes.refill(volume, { from: 0, to: SUPERBLOCK_BYTES }, [])
    })
  }

  /** Writes and syncs. A failure ends the copy until the next start has found out what is there. */
  async #write(volume: Volume, position: number, bytes: Uint8Array): Promise<void> {
    try {
      await writeWhole(volume.file, [bytes], position)
      await volume.file.sync()
    } catch (cause) {
      volume.state = 'failed'
      throw writeFailed(cause, volume.id)
    }
  }
}
