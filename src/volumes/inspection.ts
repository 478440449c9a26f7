import type { Clock } from '../core/clock.js'
import { needleBytes } from '../domain/needle.js'
import type { NeedleRow } from './index-file.js'
import type { Volume } from './volume.js'

/**
 * What the directory says about a needle. `dead`: proven, nobody will ask for it again. `copy`: needed, but it also stands
 * somewhere that counts more. Unknown is not dead.
 */
export interface Verdict {
  readonly state: 'live' | 'copy' | 'dead' | 'unknown'
  /** Of a needle that a delete killed: when, ms since the Unix epoch. */
  readonly deletedAt?: number
  /** Whether the cluster has passed that delete: then nobody may hold the needle any more. */
  readonly isForgotten?: boolean
}

/** Asks the directory about needles of one volume; verdicts in the order of the rows. */
export type Judge = (volume: Volume, rows: readonly NeedleRow[]) => Promise<readonly Verdict[]>

/** How much of a volume is still needed. */
export interface Inspection {
  readonly liveBytes: number
  /** Dead needles and superfluous copies: what compaction gives back. */
  readonly deadBytes: number
  /** Of these, what a delete has killed so recently that it may still be undone. */
  readonly undoableBytes: number
  /** When the longest deleted needle that is still here was deleted, ms since the Unix epoch. */
  readonly oldestDeleteAt: number | undefined
  /** Whether needles are here that the cluster has passed. */
  readonly holdsForgotten: boolean
}

const JUDGED_ROWS = 256
/** How long counts are believed. Who deletes touches the volume; what else becomes dead, superseded records, is small. */
const INSPECTION_MS_MAX = 10 * 60_000
/** How long a delete can surely be undone, unless an operator asks for the space, or deleted bytes may not stay as long. */
const UNDO_MS_MAX = 24 * 3_600_000

/** Counts live and dead bytes of volumes, and remembers the counts until something in the volume changes. */
export class Inspector {
  readonly #clock: Clock
  readonly #judge: Judge
  readonly #undoMs: number
  #cache = new WeakMap<
    Volume,
    { readonly end: number; readonly at: number; readonly inspection: Promise<Inspection> }
  >()

  /** @param init.purgeMs - how long the bytes of a deleted photo may stay */
  constructor(components: { readonly clock: Clock; readonly judge: Judge }, init: { readonly purgeMs?: number } = {}) {
    this.#clock = components.clock
    this.#judge = components.judge
    this.#undoMs = Math.min(UNDO_MS_MAX, init.purgeMs ?? UNDO_MS_MAX)
  }

  /** The next look at the volume counts afresh. */
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

  /** Whether a delete was so recently that work in the background leaves its bytes alone. */
  isUndoable({ deletedAt, isForgotten }: Verdict): boolean {
    return deletedAt !== undefined && !isForgotten && this.#clock.now() - deletedAt < this.#undoMs
  }
}

/** All needles of a volume with what the directory says about them now. */
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
