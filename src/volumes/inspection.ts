import type { Clock } from '../core/clock.js'
import { turn } from '../core/turn.js'
import { needleBytes } from '../domain/needle.js'
import { GRACE_MS_MAX } from '../domain/tombstone.js'
import type { NeedleRow } from './index-file.js'
import { type Count, type Counted, type Part, type Tally, uncounted } from './tally.js'
import type { Volume } from './volume.js'

/**
 * The state of a needle according to the directory. `live`: needed. `copy`: redundant, because another copy takes
 * precedence. `dead`: proven to be never needed again. `unknown`: not proven dead, so it is kept.
 */
export interface Verdict {
  readonly state: 'live' | 'copy' | 'dead' | 'unknown'
  /** The age at which this node heard of the delete that made the needle dead, ms; absent if none did. */
  readonly heardAt?: number
  /** The bytes shall go as soon as they are not graced any more. */
  readonly isPurgeWanted?: boolean
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
  /**
   * The age at which this node heard of the oldest delete whose needles are still in the volume, ms. One whose bytes shall go
   * counts as so much earlier that they are due after the grace.
   */
  readonly oldestHeardAt: number | undefined
  /** Whether the volume holds needles that were laid out: then all of it stays. */
  readonly holdsLaidOut: boolean
}

const JUDGED_ROWS = 256
/** Needles that are counted together: when the verdict of one changes, so many are judged again. */
const PART_ROWS = 1024
/** How often needles are judged again of which no change was told, and how many then; see {@link Inspector.audit}. */
const AUDIT_MS = 10 * 60_000
const AUDIT_ROWS = 1_024
/** Deletes that were heard of within this share of that time are counted as one. */
const GRACE_STEPS = 64

/**
 * Counts live and dead bytes of volumes, part by part. A part is judged again when a needle in it is said to have changed,
 * when it has grown, or in its turn to be audited: a volume at rest costs next to nothing.
 */
export class Inspector {
  readonly #clock: Clock
  readonly #judge: Judge
  readonly #since: (ageMs: number) => number
  /** How long compaction keeps the bytes of a delete. */
  readonly graceMs: number
  readonly #purgeMs: number
  /** When the volume was last found without a needle of a buried photo, ms since the Unix epoch, and how long it was then. */
  readonly #cleanAt = new WeakMap<Volume, { readonly at: number; readonly end: number }>()
  #counts = new WeakMap<Volume, Count>()
  #auditedAt = Number.NEGATIVE_INFINITY

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
    this.#purgeMs = init.purgeMs ?? GRACE_MS_MAX
    this.graceMs = Math.min(GRACE_MS_MAX, this.#purgeMs)
  }

  /** Makes the next inspection judge a needle again, or the whole volume. */
  invalidate(volume: Volume, offset?: number): void {
    for (const part of this.#counts.get(volume)?.parts ?? [])
      if (offset === undefined || (part.from <= offset && offset < part.to)) part.isStale = true
  }

  invalidateAll(): void {
    this.#counts = new WeakMap()
  }

  /**
   * Makes the next inspections judge a bounded number of needles again, those that were counted longest ago, because not all
   * changes are told: that another copy of a needle is gone, for one. And all that wait for their grave to be written.
   *
   * @param leastMs - how long ago that must have been, and the audit before
   */
  audit(volumes: Iterable<Volume>, leastMs = AUDIT_MS): void {
    const now = this.#clock.monotonic()
    if (now - this.#auditedAt < leastMs) return
    this.#auditedAt = now
    const due: { readonly part: Part; readonly tally: Tally }[] = []
    for (const volume of volumes)
      for (const part of this.#counts.get(volume)?.parts ?? [])
        if (part.tally !== undefined && now - part.tally.countedAt >= leastMs) due.push({ part, tally: part.tally })
    due.sort((a, b) => a.tally.countedAt - b.tally.countedAt)
    let rows = 0
    for (const { part, tally } of due) {
      rows += tally.rows
      if (rows <= AUDIT_ROWS || tally.holdsHeard) part.isStale = true
    }
  }

  async inspect(volume: Volume): Promise<Inspection> {
    let count = this.#counts.get(volume)
    if (count === undefined || count.holes !== volume.holes || count.end > volume.end) {
      count = { parts: [], end: 0, holes: volume.holes, running: undefined }
      this.#counts.set(volume, count)
    }
    const isCurrent = count.end === volume.end && count.parts.every(part => !part.isStale)
    if (!isCurrent) count.running ??= this.#count(volume, count)
    await count.running
    return this.#sum(count)
  }

  /** @returns what was counted last, even if the volume has changed since; undefined: it was never inspected */
  latest(volume: Volume): Inspection | undefined {
    const count = this.#counts.get(volume)
    return count === undefined || count.end === 0 ? undefined : this.#sum(count)
  }

  /**
   * What was counted of the volume, for the next process to {@link resume}: parts that have changed since, or that depend on
   * this process, are to be counted anew. Undefined: nothing.
   */
  counted(volume: Volume): Counted | undefined {
    const count = this.#counts.get(volume)
    if (count === undefined || count.end === 0 || count.holes !== volume.holes) return undefined
    const parts = count.parts.map(({ from, to, isStale, tally }) =>
      isStale || tally === undefined || tally.holdsUnknown ? uncounted(from, to) : { from, to, isStale, tally }
    )
    return { end: count.end, parts }
  }

  resume(volume: Volume, { end, parts }: Counted): void {
    const count: Count = { parts: [...parts], end, holes: volume.holes, running: undefined }
    this.#counts.set(volume, count)
    if (parts.every(({ isStale }) => !isStale)) this.#noteBuried(volume, count, this.#clock.now())
  }

  async #count(volume: Volume, count: Count): Promise<void> {
    const { end } = volume
    const startedWallAt = this.#clock.now()
    const last = count.parts.at(-1)
    if (count.end < end && last?.to === Number.POSITIVE_INFINITY) last.isStale = true
    try {
      const to = count.end < end ? Number.POSITIVE_INFINITY : endOfStale(count.parts)
      for await (const { part, rows } of staleParts(volume, count.parts, to)) {
        part.isStale = false // what changes from here on makes it so again
        part.tally = await this.#tally(volume, rows)
      }
      count.end = end
      this.#noteBuried(volume, count, startedWallAt)
    } catch (err) {
      if (this.#counts.get(volume) === count) this.#counts.delete(volume)
      throw err
    } finally {
      count.running = undefined
    }
  }

  async #tally(volume: Volume, rows: readonly NeedleRow[]): Promise<Tally> {
    const tally: Tally = {
      rows: rows.length,
      liveBytes: 0,
      deadBytes: 0,
      gracedBytes: new Map(),
      oldestHeardAt: undefined,
      holdsLaidOut: false,
      holdsHeard: false,
      holdsUnknown: false,
      buriedAt: 0,
      countedAt: this.#clock.monotonic(),
      countedWallAt: this.#clock.now()
    }
    for await (const { row, verdict } of judged(volume, rows, this.#judge)) this.#add(tally, row, verdict)
    return tally
  }

  #add(tally: Tally, row: NeedleRow, verdict: Verdict): void {
    const { state, heardAt, isPurgeWanted = false, isBuried = false, isLaidOut = false } = verdict
    const byteCount = needleBytes(row.length)
    tally.holdsLaidOut ||= isLaidOut
    tally.holdsHeard ||= isBuried && state === 'unknown'
    tally.holdsUnknown ||= state === 'unknown'
    if (isBuried) tally.buriedAt = row.offset
    if (state === 'live' || state === 'unknown') {
      tally.liveBytes += byteCount
      return
    }
    tally.deadBytes += byteCount
    if (heardAt === undefined) return
    const dueFrom = isPurgeWanted ? heardAt - (this.#purgeMs - this.graceMs) : heardAt
    tally.oldestHeardAt = Math.min(tally.oldestHeardAt ?? dueFrom, dueFrom)
    if (!this.isGraced(verdict)) return
    const stepMs = this.graceMs / GRACE_STEPS
    const at = Math.ceil(heardAt / stepMs) * stepMs
    tally.gracedBytes.set(at, (tally.gracedBytes.get(at) ?? 0) + byteCount)
  }

  #sum({ parts }: Count): Inspection {
    let liveBytes = 0
    let deadBytes = 0
    let gracedBytes = 0
    let oldestHeardAt: number | undefined
    let holdsLaidOut = false
    for (const { tally } of parts) {
      if (tally === undefined) continue
      liveBytes += tally.liveBytes
      deadBytes += tally.deadBytes
      for (const [heardAt, bytes] of tally.gracedBytes) if (this.#since(heardAt) < this.graceMs) gracedBytes += bytes
      if (tally.oldestHeardAt !== undefined) oldestHeardAt = Math.min(oldestHeardAt ?? Infinity, tally.oldestHeardAt)
      holdsLaidOut ||= tally.holdsLaidOut
    }
    return { liveBytes, deadBytes, gracedBytes, oldestHeardAt, holdsLaidOut }
  }

  /** Notes whether the volume holds needles of buried photos: one that came only after it was found without any does not count. */
  #noteBuried(volume: Volume, { parts, end }: Count, startedWallAt: number): void {
    const tallies = parts.flatMap(({ tally }) => tally ?? [])
    const buriedAt = Math.max(0, ...tallies.map(tally => tally.buriedAt))
    const clean = this.#cleanAt.get(volume)
    if (buriedAt === 0)
      this.#cleanAt.set(volume, { at: Math.min(startedWallAt, ...tallies.map(each => each.countedWallAt)), end })
    else if (buriedAt >= (clean?.end ?? 0)) this.#cleanAt.delete(volume)
  }

  /**
   * Whether this node heard of the delete so lately that compaction keeps the bytes.
   *
   * @param graceMs - default: what is usual
   */
  isGraced({ heardAt }: Verdict, graceMs = this.graceMs): boolean {
    return heardAt !== undefined && this.#since(heardAt) < graceMs
  }

  /** @returns when the volume was last found without a needle of a buried photo, ms since the Unix epoch; undefined: never */
  cleanAt(volume: Volume): number | undefined {
    return this.#cleanAt.get(volume)?.at
  }
}

/** @returns where nothing more is to be counted again */
function endOfStale(parts: readonly Part[]): number {
  return parts.reduce((end, part) => (part.isStale ? part.to : end), 0)
}

/**
 * Yields the parts to count with all their needles, in the order of the volume, and begins new ones for what lies behind the last.
 *
 * @param to - needles from there on are passed over
 */
async function* staleParts(
  volume: Volume,
  parts: Part[],
  to: number
): AsyncGenerator<{ readonly part: Part; readonly rows: readonly NeedleRow[] }> {
  let next = 0
  let part: Part | undefined
  /** Settled when the part begins: one that becomes stale amid its needles is counted next time, not by half. */
  let isCounted = false
  let rows: NeedleRow[] = []
  reading: for await (const some of volume.rows()) {
    for (const row of some) {
      if (row.offset >= to) break reading
      if (part === undefined || row.offset >= part.to) {
        if (part !== undefined && rows.length > 0) yield { part, rows }
        rows = []
        while (row.offset >= (parts[next]?.to ?? Number.POSITIVE_INFINITY)) next++
        part = parts[next] ?? uncounted(row.offset, Number.POSITIVE_INFINITY)
        parts[next] = part
        isCounted = part.isStale
      }
      if (!isCounted) continue
      rows.push(row)
      if (rows.length === PART_ROWS && part.to === Number.POSITIVE_INFINITY) part.to = row.offset + 1
    }
    await turn()
  }
  if (part !== undefined && rows.length > 0) yield { part, rows }
}

/** Yields all needles of a volume with their current verdicts. */
export async function* judgeNeedles(
  volume: Volume,
  judge: Judge
): AsyncGenerator<{ readonly row: NeedleRow; readonly verdict: Verdict }> {
  for await (const rows of volume.rows()) yield* judged(volume, rows, judge)
}

async function* judged(
  volume: Volume,
  rows: readonly NeedleRow[],
  judge: Judge
): AsyncGenerator<{ readonly row: NeedleRow; readonly verdict: Verdict }> {
  for (let at = 0; at < rows.length; at += JUDGED_ROWS) {
    const batch = rows.slice(at, at + JUDGED_ROWS)
    const verdicts = await judge(volume, batch)
    for (const [i, row] of batch.entries()) yield { row, verdict: verdicts[i] as Verdict }
  }
}
