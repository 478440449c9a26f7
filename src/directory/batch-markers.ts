import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { markerKey, openSealed, type Row, sealedRow, TABLE_MARKER, tableRange, u64, u64From } from './keys.js'

/*
 * How a lost batch is noticed. LevelDB's own log is not synced, and recovery skips what is damaged in it, so a power
 * failure or a flipped bit can take one batch and leave later ones, whose applied offset then claims more than the rows
 * hold. Therefore every batch that changes records is numbered, and leaves its number in slot (number mod RING_SLOTS)
 * of a ring. When the numbers of the last RING_SLOTS batches are all there, no batch is missing among those that can
 * only be in LevelDB's log; batches in table files were synced.
 *
 * RING_SLOTS × the least bytes of a batch must exceed what LevelDB's two write buffers hold: 49,152 × 200 B > 2 × 4 MiB
 * (tests assert both).
 *
 * The marker also carries the Merkle root after its batch, which must be the root of the buckets as read.
 */
export const RING_SLOTS = 49_152

/** What the least numbered batch takes of a write buffer: the rows of a record, a leaf, a bucket and the marker. */
export const BATCH_BYTES_MIN = 200

export interface Marker {
  /** Number of the last batch, from 1; 0 when there was none. */
  readonly sequence: number
  /** Merkle root after it, 16 bytes; undefined when there was none. */
  readonly root: Uint8Array | undefined
}

export function markerRow(sequence: number, root: Uint8Array): Row {
  return sealedRow(markerKey(sequence % RING_SLOTS), u64(sequence), root)
}

/**
 * @returns the marker of the last batch
 * @throws {@link DamageError} when a batch before it is missing
 */
export async function readMarkers(database: Database): Promise<Marker> {
  const rows = await database.iterator(tableRange(TABLE_MARKER)).all()
  const markers = rows.map(([key, value]) => {
    const payload = openSealed(key, value, 24)
    return {
      slot: key.length === 3 ? (key[1] ?? 0) * 256 + (key[2] ?? 0) : -1,
      sequence: u64From(payload),
      root: payload.subarray(8)
    }
  })
  const last = markers.reduce<Marker>((max, marker) => (marker.sequence > max.sequence ? marker : max), {
    sequence: 0,
    root: undefined
  })
  const oldest = last.sequence - Math.min(last.sequence, RING_SLOTS)
  for (const { slot, sequence } of markers) {
    if (slot !== sequence % RING_SLOTS || sequence <= oldest) throw new DamageError('a batch is missing')
  }
  // Slots are distinct and each holds its own number within the window, so the count alone proves that the window is
  // whole.
  if (markers.length !== last.sequence - oldest) throw new DamageError('a batch is missing')
  return last
}
