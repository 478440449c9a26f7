import type { VolumeId } from '../domain/ids.js'
import type { NeedleHeader, NeedleIdentity } from '../domain/needle.js'

/** The place of a needle on this node's disk. Never leaves the node. */
export interface NeedleLocation {
  readonly volume: VolumeId
  /** Byte offset of the needle's header in the volume file; a multiple of 8. */
  readonly offset: number
  /** Bytes of data, without header, checksums and padding. */
  readonly length: number
}

/** A needle to be appended. */
export interface NeedleDraft {
  readonly header: Omit<NeedleHeader, 'length'>
  /** Must not change until the append settles. */
  readonly data: Uint8Array
}

/** A needle that is durable. */
export interface CommittedNeedle extends NeedleIdentity {
  readonly kind: NeedleHeader['kind']
  readonly flags: number
  readonly location: NeedleLocation
  /** The data, for needles of records and graves only: what the directory merges. */
  readonly data?: Uint8Array
}

/** All needles of a volume in [from, to), ascending; they are applied to the directory together. */
export interface CommitGroup {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
  readonly needles: readonly CommittedNeedle[]
}

/** A group that has just become durable. */
export interface DurableGroup extends CommitGroup {
  /** Chained digest up to `to`. */
  readonly chain: Uint8Array
}

/** What the rest of Sheaf needs of volumes to write and read photos. */
export interface NeedleStore {
  /**
   * Appends all drafts contiguously to the active volume and waits until they are durable and applied to the directory.
   *
   * @param purpose - `upload` must leave the reserve free; `upkeep` (deletes, compaction, edits) may use it
   * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE`, `ERR_STOPPING`, `ERR_DIRECTORY_UNAVAILABLE`
   */
  append(drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep'): Promise<NeedleLocation[]>
  /** @returns the known places of the needle that are not in holes, by volume id and offset */
  locate(identity: NeedleIdentity): NeedleLocation[]
  /**
   * Reads and verifies a whole needle in one disk read.
   *
   * @returns its data, as a view of a buffer that the caller owns
   * @throws `ERR_NEEDLE_CORRUPT` or `ERR_DISK_READ`, and damage is noted as a hole and logged; `ERR_BYTES_UNREACHABLE`
   */
  read(location: NeedleLocation, identity: NeedleIdentity): Promise<Uint8Array>
  /** Like `read`, but blocks: for bytes that are likely in the page cache. `lease.data` is valid until `lease.release()`. */
  readSync(location: NeedleLocation, identity: NeedleIdentity): NeedleLease
  /** Streams bytes [start, end) of the needle's data; each block is verified before it is yielded. */
  readRange(location: NeedleLocation, identity: NeedleIdentity, start: number, end: number): AsyncIterable<Uint8Array>
}

export interface NeedleLease {
  readonly data: Uint8Array
  /** Returns the pooled buffer. Call it exactly once, after the bytes were sent. */
  release(): void
}
