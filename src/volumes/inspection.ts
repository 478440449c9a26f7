import type { Clock } from '../core/clock.js'
import { needleBytes } from '../domain/needle.js'
import type { NeedleRow } from './index-file.js'
import type { Volume } from './volume.js'

/**
 * The state of a needle according to the directory. `live`: needed. `copy`: redundant, because another copy takes
 * precedence. `dead`: proven to be never needed again. `unknown`: not proven dead, so it is kept.
 */
export interface Verdict {
  readonly state: 'live' | 'copy' | 'dead' | 'unknown'
  /** When the photo of a dead needle was deleted, ms since the Unix epoch. */
  readonly deletedAt?: number
  /** Whether the horizon has passed that delete: then no node may keep the needle. */
  readonly isForgotten?: boolean
}

/** Judges needles of one volume by the directory; verdicts in the order of the rows. */
export type Judge = (volume: Volume, rows: readonly NeedleRow[]) => Promise<readonly Verdict[]>

/** How much of a volume is still needed. */
export interface Inspection {
  readonly liveBytes: number
  /** Dead needles and redundant copies: what compaction frees. */
  readonly deadBytes: number
  /** The part of `deadBytes` whose delete is so recent that it may still be undone. */
  readonly undoableBytes: number
  /** Time of the oldest delete whose needles are still in the volume, ms since the Unix epoch. */
  readonly oldestDeleteAt: number | undefined
  /** Whether the volume holds needles whose delete the horizon has passed. */
  readonly holdsForgotten: boolean
}

const JUDGED_ROWS = 256
/** How long counts stay valid. Deletes invalidate them; superseded records, which do not, are small. */
const INSPECTION_MS_MAX = 10 * 60_000
/** How long background compaction keeps the bytes of a delete, unless `purgeMs` is shorter; a manual one does not wait. */
const UNDO_MS_MAX = 24 * 3_600_000

/** Counts live and dead bytes of volumes, and caches the counts until the volume grows or is invalidated. */
export class Inspector {
  readonly #clock: Clock
  readonly #judge: Judge
  readonly #undoMs: number
  #cache = new WeakMap<
    Volume,
    { readonly end: number; readonly at: number; readonly inspection: Promise<Inspection> }
  >()

  /** @param init.purgeMs - how long the bytes of a deleted photo may be kept */
  constructor(components: { readonly clock: Clock; readonly judge: Judge }, init: { readonly purgeMs?: number } = {}) {
    this.#clock = components.clock
    this.#judge = components.judge
    this.#undoMs = Math.min(UNDO_MS_MAX, init.purgeMs ?? UNDO_MS_MAX)
  }

  /** Makes the next inspection of the volume count again. */
  invalidate(volume: Volume): void {
    this.#cache.delete(volume)
  }

  invalidateAll(): void {
    this.#cache = new WeakMap()
  }

  inspect(volume: Volume): Promise<Inspection> {
    const { end } = volume
    const at = this.#clock.monotonic()
    const known = this.#cache.get(volume)
    if (known !== undefined && known.end === end && at - known.at < INSPECTION_MS_MAX) return known.inspection
    const inspection = this.#count(volume)
    this.#cache.set(volume, { end, at, inspection })
    inspection.catch(() => this.invalidate(volume)) // reported to whoever awaits it
    return inspection
  }

  async #count(volume: Volume): Promise<Inspection> {
    let liveBytes = 0
    let deadBytes = 0
    let undoableBytes = 0
    let oldestDeleteAt: number | undefined
    let holdsForgotten = false
    for await (const { row, verdict } of judgeNeedles(volume, this.#judge)) {
      if (verdict.state === 'live' || verdict.state === 'unknown') {
        liveBytes += needleBytes(row.length)
        continue
      }
      deadBytes += needleBytes(row.length)
      holdsForgotten ||= verdict.isForgotten === true
      if (verdict.deletedAt === undefined) continue
      if (this.isUndoable(verdict)) undoableBytes += needleBytes(row.length)
      oldestDeleteAt = Math.min(oldestDeleteAt ?? verdict.deletedAt, verdict.deletedAt)
    }
    return { liveBytes, deadBytes, undoableBytes, oldestDeleteAt, holdsForgotten }
  }

  /** Whether the delete is so recent that background compaction must keep the bytes. */
  isUndoable({ deletedAt, isForgotten }: Verdict): boolean {
    return deletedAt !== undefined && !isForgotten && this.#clock.now() - deletedAt < this.#undoMs
  }
}

/** Yields all needles of a volume with their current verdicts. */
export async function* judgeNeedles(
  volume: Volume,
  judge: Judge
): AsyncGenerator<{ readonly row: NeedleRow; readonly verdict: Verdict }> {
  for await (const rows of volume.rows()) {
    for (let at = 0; at < rows.length; at += JUDGED_ROWS) {
      const batch = rows.slice(at, at + JUDGED_ROWS)
      const verdicts = await judge(volume, batch)
      for (const [i, row] of batch.entries()) yield { row, verdict: verdicts[i] as Verdict }
    }
  }
}
