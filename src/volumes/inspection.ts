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
  /** The age at which this node heard of the delete that made the needle dead, ms; absent if none did. */
  readonly heardAt?: number
  /** The photo is buried: only its grave is left. */
  readonly isBuried?: boolean
  /** A grave has ended it before its time: it stays where it is, and is not moved. */
  readonly isLaidOut?: boolean
}

/** Judges needles of one volume by the directory; verdicts in the order of the rows. */
export type Judge = (volume: Volume, rows: readonly NeedleRow[]) => Promise<readonly Verdict[]>

/** How much of a volume is still needed. */
export interface Inspection {
  readonly liveBytes: number
  /** Dead needles and redundant copies: what compaction frees. */
  readonly deadBytes: number
  /** The part of `deadBytes` of which this node heard so lately that compaction keeps it. */
  readonly gracedBytes: number
  /** The age at which this node heard of the oldest delete whose needles are still in the volume, ms. */
  readonly oldestHeardAt: number | undefined
  /** Whether the volume holds needles that were laid out: then all of it stays. */
  readonly holdsLaidOut: boolean
}

const JUDGED_ROWS = 256
/** How long counts stay valid. Deletes invalidate them; superseded records, which do not, are small. */
const INSPECTION_MS_MAX = 10 * 60_000
/** How long compaction keeps the bytes of a delete, unless `purgeMs` is shorter. */
const GRACE_MS_MAX = 24 * 3_600_000

/** Counts live and dead bytes of volumes, and caches the counts until the volume grows or is invalidated. */
export class Inspector {
  readonly #clock: Clock
  readonly #judge: Judge
  readonly #since: (ageMs: number) => number
  readonly #graceMs: number
  /** When the volume was last found without a needle of a buried photo, ms since the Unix epoch. */
  readonly #cleanAt = new WeakMap<Volume, { readonly at: number; readonly end: number }>()
  readonly #latest = new WeakMap<Volume, Inspection>()
  #cache = new WeakMap<
    Volume,
    { readonly end: number; readonly at: number; readonly inspection: Promise<Inspection> }
  >()

  /**
   * @param components.since - how much time has passed since the node had that age, ms
   * @param init.purgeMs - how long the bytes of a deleted photo may be kept
   */
  constructor(
    components: { readonly clock: Clock; readonly judge: Judge; readonly since: (ageMs: number) => number },
    init: { readonly purgeMs?: number } = {}
  ) {
    this.#clock = components.clock
    this.#judge = components.judge
    this.#since = components.since
    this.#graceMs = Math.min(GRACE_MS_MAX, init.purgeMs ?? GRACE_MS_MAX)
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

  /** @returns what was counted last, even if the volume has changed since; undefined: it was never inspected */
  latest(volume: Volume): Inspection | undefined {
    return this.#latest.get(volume)
  }

  async #count(volume: Volume): Promise<Inspection> {
    let liveBytes = 0
    let deadBytes = 0
    let gracedBytes = 0
    let oldestHeardAt: number | undefined
    let holdsLaidOut = false
    let holdsBuried = false
    /** What was buried already when it came here. */
    let isLate = false
    const { end } = volume
    const startedAt = this.#clock.now()
    for await (const { row, verdict } of judgeNeedles(volume, this.#judge)) {
      holdsLaidOut ||= verdict.isLaidOut === true
      holdsBuried ||= verdict.isBuried === true
      isLate ||= verdict.isBuried === true && row.offset >= (this.#cleanAt.get(volume)?.end ?? 0)
      if (verdict.state === 'live' || verdict.state === 'unknown') {
        liveBytes += needleBytes(row.length)
        continue
      }
      deadBytes += needleBytes(row.length)
      if (verdict.heardAt === undefined) continue
      if (this.isGraced(verdict)) gracedBytes += needleBytes(row.length)
      oldestHeardAt = Math.min(oldestHeardAt ?? verdict.heardAt, verdict.heardAt)
    }
    if (!holdsBuried) this.#cleanAt.set(volume, { at: startedAt, end })
    else if (isLate) this.#cleanAt.delete(volume)
    const inspection = { liveBytes, deadBytes, gracedBytes, oldestHeardAt, holdsLaidOut }
    this.#latest.set(volume, inspection)
    return inspection
  }

  /**
   * Whether this node heard of the delete so lately that compaction keeps the bytes.
   *
   * @param graceMs - default: what is usual
   */
  isGraced({ heardAt }: Verdict, graceMs = this.#graceMs): boolean {
    return heardAt !== undefined && this.#since(heardAt) < graceMs
  }

  /** @returns when the volume was last found without a needle of a buried photo, ms since the Unix epoch; undefined: never */
  cleanAt(volume: Volume): number | undefined {
    return this.#cleanAt.get(volume)?.at
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
