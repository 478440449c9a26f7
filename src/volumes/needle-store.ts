import type { VolumeId } from '../domain/ids.js'
import type { NeedleHeader, NeedleIdentity } from '../domain/needle.js'

/** Where a needle stands on this node's disk. Never leaves the node. */
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
  /** Must not change until the append has settled. */
  readonly data: Uint8Array
}

/** A needle that has become durable, in the order of the log. */
export interface CommittedNeedle extends NeedleIdentity {
  readonly kind: NeedleHeader['kind']
  readonly flags: number
  readonly location: NeedleLocation
  /** The data, for record needles only: what the directory merges. */
  readonly record?: Uint8Array
}

/** What one sync made durable in one volume: all needles in [from, to), ascending. */
export interface CommitGroup {
  readonly volume: VolumeId
  readonly from: number
  readonly to: number
  readonly needles: readonly CommittedNeedle[]
}

/** A group whose bytes are durable, with the head that they make. */
export interface DurableGroup extends CommitGroup {
  readonly chain: Uint8Array
}

/** What the rest of Sheaf needs of volumes to write and read photos. */
export interface NeedleStore {
  /**
   * Appends all drafts one after the other to the active volume and waits until they are durable and applied to the directory.
   *
   * @param purpose - `upload` stops at the reserve; `upkeep` (deletes, compaction, edits) may use it
   * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE` (nothing was acknowledged), `ERR_STOPPING`
   */
  append(drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep'): Promise<NeedleLocation[]>
  /** @returns where intact copies of the needle are expected, best first; empty when there is none */
  locate(identity: NeedleIdentity): NeedleLocation[]
  /**
   * Reads and verifies a whole needle in one disk read.
   *
   * @returns its data, as a view of a buffer that the caller owns
   * @throws `ERR_NEEDLE_CORRUPT` or `ERR_DISK_READ`; the place is then known as a hole and reported
   */
  read(location: NeedleLocation, identity: NeedleIdentity): Promise<Uint8Array>
  /** The same, blocking, for bytes that are likely in the page cache. `lease.data` is valid until `lease.release()`. */
  readSync(location: NeedleLocation, identity: NeedleIdentity): NeedleLease
  /** Streams bytes [start, end) of the needle's data; each block is verified before it is yielded. */
  readRange(location: NeedleLocation, identity: NeedleIdentity, start: number, end: number): AsyncIterable<Uint8Array>
}

export interface NeedleLease {
  readonly data: Uint8Array
  /** Gives the pooled buffer back. Call exactly once, after the bytes were sent. */
  release(): void
}
