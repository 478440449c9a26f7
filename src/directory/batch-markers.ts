import { DamageError } from './damage.js'
import type { Database } from './database.js'
import { markerKey, openSealed, type Row, sealedRow, TABLE_MARKER, tableRange, u64, u64From } from './keys.js'

/*
 * Detects lost batches. LevelDB's log is not synced, and its recovery skips damaged parts, so a power failure or a flipped
 * bit can lose one batch and keep later ones, whose applied offset then claims more than the rows hold. Therefore every
 * batch that changes records is numbered and writes its number into slot (number mod RING_SLOTS) of a ring. If the ring
 * holds the numbers of the last RING_SLOTS batches, none is missing among those that may exist only in LevelDB's log;
 * older batches are in table files, which were synced.
 *
 * RING_SLOTS × the least bytes of a batch must exceed LevelDB's two write buffers: 49,152 × 200 B > 2 × 4 MiB (tests assert
 * both).
 *
 * The marker also holds the Merkle root after its batch, which must equal the root of the stored buckets.
 */
export const RING_SLOTS = 49_152

/** Bytes of a write buffer that the smallest numbered batch takes: the rows of a record, a leaf, a bucket and the marker. */
export const BATCH_BYTES_MIN = 200
/** Makes a batch with this marker and any other row no smaller than that. */
const MARKER_PADDING = new Uint8Array(120)
const MARKER_BYTES = 24

export interface Marker {
  /** Number of the last batch, from 1; 0 when there was none. */
  readonly sequence: number
  /** Merkle root after it, 16 bytes; undefined when there was none. */
  readonly root: Uint8Array | undefined
}

/** @param isPadded - needed in a batch without a record row */
export function markerRow(sequence: number, root: Uint8Array, isPadded = false): Row {
  const padding = isPadded ? [MARKER_PADDING] : []
  return sealedRow(markerKey(sequence % RING_SLOTS), u64(sequence), root, ...padding)
}

/**
 * @returns the marker of the last batch
 * @throws {@link DamageError} when a batch before it is missing
 */
export async function readMarkers(database: Database): Promise<Marker> {
  const rows = await database.iterator(tableRange(TABLE_MARKER)).all()
  const markers = rows.map(([key, value]) => {
    const payload = openSealed(key, value)
    if (payload.length !== MARKER_BYTES && payload.length !== MARKER_BYTES + MARKER_PADDING.length)
      throw new DamageError('a marker has the wrong length')
    return {
      slot: key.length === 3 ? (key[1] ?? 0) * 256 + (key[2] ?? 0) : -1,
      sequence: u64From(payload),
      root: payload.subarray(8, MARKER_BYTES)
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
  // Slots are distinct, and each holds a number of the window that belongs there, so the count proves completeness.
  if (markers.length !== last.sequence - oldest) throw new DamageError('a batch is missing')
  return last
}
