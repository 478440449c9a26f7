import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import { hlcMs } from '../domain/hlc.js'
import type { VolumeId } from '../domain/ids.js'
import { needleBytes } from '../domain/needle.js'
import type { NeedleRow } from './index-file.js'
import { type Inspection, type Inspector, type Judge, judgeNeedles, type Verdict } from './inspection.js'
import type { NeedleDraft } from './needle-store.js'
import type { Volume } from './volume.js'
import type { VolumeSet } from './volume-set.js'

/** Bounds on one append of live needles. */
const MOVE_BYTES_MAX = 4 * 1024 * 1024
const MOVE_NEEDLES_MAX = 256
/** A closed volume below this share of its capacity is tiny; at least TINY_VOLUMES_MIN of them are merged. */
const TINY_SHARE = 0.1
const TINY_VOLUMES_MIN = 4

/** A volume is rewritten to drop old deletes at most once in this share of `purgeMs`. */
const REWRITE_SHARE = 0.25
/** What is dropped while an upload does not fit, unless `purgeMs` is shorter: deletes of which this node heard before. */
const SCARCE_GRACE_MS = 3_600_000

/**
 * `background`: at a limited rate, volumes that are due. `manual`: every volume with something to drop; an operator asked for
 * it. `scarce`: as little as makes room for an upload, from the oldest deletes. `now`: as manual, but also what was deleted
 * lately, so that it can no longer be undone.
 */
type Mode = 'background' | 'manual' | 'scarce' | 'now'

/** When another copy of a needle counts: `indexed`, it is in the index; `checked`, it was read and verified just now. */
export type Trust = 'indexed' | 'checked'

export interface CompactionComponents {
  readonly volumes: VolumeSet
  readonly inspector: Inspector
  readonly clock: Clock
  readonly log: Logger
  readonly judge: Judge
  /**
   * @param row - a record needle in `volume`
   * @returns the merged record as a needle to append; undefined when it need not be moved, e.g. because a needle in another
   *   volume that is not retired already holds exactly the merged record
   */
  readonly recordToMove: (volume: Volume, row: NeedleRow, trust: Trust) => Promise<NeedleDraft | undefined>
  /** Writes the record that marks the volume as retired up to `coveredBytes`; does nothing if it already is. */
  readonly retire: (volume: Volume, coveredBytes: number) => Promise<void>
  readonly isRetired: (volume: VolumeId) => boolean
  /** See {@link VolumeCopies.remove}. */
  readonly remove: (volume: Volume, end: number) => Promise<boolean>
  /** @returns whether this node compacts a volume, by the members of now: its writer does, or the substitute of one that is gone */
  readonly ownership: () => (volume: Volume) => boolean
  /** How much time has passed since the node had that age, ms. */
  readonly since: (ageMs: number) => number
  /** Whether an upload was refused lately because it does not fit. */
  readonly isScarce: () => Promise<boolean>
  /** Lets go of some of what was laid out longer than `graceMs` ago, for want of space. @returns whether there was any */
  readonly yieldLaidOut: (graceMs: number) => Promise<boolean>
}

export interface CompactionInit {
  /** How long the bytes of a deleted photo may be kept, ms. */
  readonly purgeMs: number
  /** A closed volume is compacted from this share of dead bytes, 0…1. */
  readonly deadShareMin: number
  /** Rate limit of background compaction, bytes moved per second. */
  readonly bytesPerSecondMax: number
}

export interface CompactionResult {
  readonly volumes: number
  readonly movedBytes: number
  readonly freedBytes: number
}

/**
 * Frees the space of deleted photos. Live needles of a volume are appended to the active one, a record marks the volume as
 * retired, and its files are removed once every needle not proven dead has been read from another volume. A crash between
 * any two steps leaves duplicates, never a gap: the next round finds them, and the same check removes a retired volume that
 * still exists. Compacts one volume at a time, so that it fits into the reserve of a full disk. Any I/O error aborts.
 */
export class Compactor {
  readonly #components: CompactionComponents
  readonly #init: CompactionInit
  readonly #counts = { volumes: 0, movedBytes: 0, freedBytes: 0 }
  #turn: Promise<unknown> = Promise.resolve()

  constructor(components: CompactionComponents, init: CompactionInit) {
    this.#components = components
    this.#init = init
  }

  /** What was done since the process started. */
  get counts(): CompactionResult {
    return { ...this.#counts }
  }

  /** Compacts one volume that is due, in the background. @returns `idle` when there was none */
  async step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    this.#components.inspector.audit(this.#components.volumes.volumes())
    await this.#closeActive()
    await this.#evacuate('background', signal)
    const [volume] = await this.#due('background')
    if (volume === undefined) return (await this.#makeRoom(signal)) ? 'busy' : 'idle'
    return (await this.#frees(volume, 'background', signal)) ? 'busy' : 'idle'
  }

  /** When nothing else is left to drop: of one volume, deletes that would have been kept a little longer; at last, what was laid out. */
  async #makeRoom(signal: AbortSignal): Promise<boolean> {
    const { volumes, isScarce, yieldLaidOut } = this.#components
    if (!(await isScarce())) return false
    const [first] = await this.#due('scarce')
    if (first === undefined) return yieldLaidOut(this.#scarceGraceMs)
    if (first.state === 'active') await volumes.closeActive()
    return this.#frees(first, 'scarce', signal)
  }

  /** @returns whether it came to anything: what did not is left alone until the next look */
  async #frees(volume: Volume, mode: Mode, signal: AbortSignal): Promise<boolean> {
    const movedBytes = await this.#exclusively(() => this.#compact(volume, mode, signal))
    return movedBytes > 0 || this.#components.volumes.get(volume.id) === undefined
  }

  /**
   * Compacts every volume with bytes to drop, the active one included, without a rate limit: what an operator asks for.
   *
   * @param mode - `now` drops what was deleted a moment ago
   */
  async run(
    mode: 'manual' | 'now',
    progress: (done: number, total: number) => void,
    signal: AbortSignal
  ): Promise<CompactionResult> {
    const { volumes, inspector, isRetired } = this.#components
    inspector.audit(volumes.volumes(), 0)
    for (const volume of volumes.volumes()) {
      if (volume.state !== 'active') continue
      if (isRetired(volume.id) || droppable(await inspector.inspect(volume), mode) > 0) await volumes.closeActive()
    }
    await this.#evacuate(mode, signal)
    const due = await this.#due(mode)
    let movedBytes = 0
    let freedBytes = 0
    for (const [i, volume] of due.entries()) {
      progress(i, due.length)
      const moved = await this.#exclusively(() => this.#compact(volume, mode, signal))
      movedBytes += moved
      if (this.#components.volumes.get(volume.id) === undefined) freedBytes += volume.end - moved
    }
    progress(due.length, due.length)
    return { volumes: due.length, movedBytes, freedBytes }
  }

  /** Volumes to compact, those with the fewest bytes to move first: on a full disk they free space at the least cost. */
  async #due(mode: Mode): Promise<Volume[]> {
    const { volumes, inspector, isRetired, ownership } = this.#components
    const isOwner = ownership()
    const deadShareMin = mode === 'background' ? this.#init.deadShareMin : 0
    const due: Candidate[] = []
    const tiny: Candidate[] = []
    for (const volume of volumes.volumes()) {
      // a hole may hide a needle that a repair could recover
      if ((volume.state === 'active' && mode !== 'scarce') || volume.holes.length > 0) continue
      const inspection = await inspector.inspect(volume)
      if (inspection.holdsLaidOut) continue
      // one node compacts a volume, the others only remove it once it is retired
      if (!isOwner(volume) && !isRetired(volume.id)) continue
      const { liveBytes, oldestHeardAt = Number.POSITIVE_INFINITY } = inspection
      const candidate = { volume, liveBytes, oldestHeardAt }
      if (mode === 'scarce') {
        if (this.#components.since(oldestHeardAt) >= this.#scarceGraceMs) due.push(candidate)
        continue
      }
      const deadBytes = droppable(inspection, mode)
      const empty = liveBytes === 0 && deadBytes === inspection.deadBytes
      const share = volume.end === 0 ? 0 : deadBytes / volume.end
      const purge = this.#isOverdue(volume, inspection)
      if (isRetired(volume.id) || purge || empty || (deadBytes > 0 && share >= deadShareMin)) due.push(candidate)
      else if (volume.end < TINY_SHARE * volumes.volumeBytes) tiny.push(candidate)
    }
    if (tiny.length >= TINY_VOLUMES_MIN) due.push(...tiny)
    const order = mode === 'scarce' ? byOldestDelete : byLiveBytes
    return due.sort(order).map(({ volume }) => volume)
  }

  /**
   * Moves what is needed out of retired volumes that stay, because peers no longer fetch it from there. They stay because a
   * repair may recover what their holes hide, or because of what was laid out in them.
   */
  async #evacuate(mode: Mode, signal: AbortSignal): Promise<void> {
    const { volumes, inspector, isRetired } = this.#components
    for (const volume of volumes.volumes()) {
      if (volume.state === 'active' || !isRetired(volume.id)) continue
      if (volume.holes.length === 0 && !(await inspector.inspect(volume)).holdsLaidOut) continue
      await this.#exclusively(() => this.#move(volume, 'indexed', mode, signal))
    }
  }

  /**
   * Closes an active volume with overdue deletes: on a node that writes little it would never fill and be compacted. Also one
   * that others have retired while this node was cut off: they no longer fetch what is appended to it.
   */
  async #closeActive(): Promise<void> {
    const { volumes, inspector, isRetired } = this.#components
    for (const volume of volumes.volumes()) {
      if (volume.state !== 'active') continue
      if (isRetired(volume.id) || this.#isOverdue(volume, await inspector.inspect(volume))) await volumes.closeActive()
    }
  }

  #isOverdue({ superblock }: Volume, { oldestHeardAt, holdsLaidOut }: Inspection): boolean {
    const { since, clock } = this.#components
    const { purgeMs } = this.#init
    if (oldestHeardAt === undefined || holdsLaidOut || since(oldestHeardAt) < purgeMs) return false
    // a clock that was ahead when the volume began says nothing
    const volumeAgeMs = superblock === undefined ? 0 : clock.now() - hlcMs(superblock.createdAt)
    return volumeAgeMs < 0 || volumeAgeMs >= REWRITE_SHARE * purgeMs
  }

  get #scarceGraceMs(): number {
    return Math.min(SCARCE_GRACE_MS, this.#init.purgeMs)
  }

  #drops(verdict: Verdict, mode: Mode): boolean {
    if (verdict.state !== 'dead') return false
    const { inspector } = this.#components
    if (mode === 'now') return true
    return !inspector.isGraced(verdict, mode === 'scarce' ? this.#scarceGraceMs : undefined)
  }

  /** @returns bytes that had to be moved */
  async #compact(volume: Volume, mode: Mode, signal: AbortSignal): Promise<number> {
    const { log, retire, isRetired, remove, volumes } = this.#components
    if (volumes.get(volume.id) !== volume || volume.holes.length > 0) return 0 // may have changed while this call waited
    let movedBytes = 0
    if (!isRetired(volume.id)) {
      const { end } = volume
      const moved = await this.#move(volume, 'indexed', mode, signal)
      if (moved === undefined) return 0
      movedBytes = moved
      await retire(volume, end)
    }
    // this copy may be longer than the one that another node retired, and grow: move the rest as well, and retire up to its end
    for (let isGone = false; !isGone; ) {
      const { end } = volume
      const moved = await this.#move(volume, 'checked', mode, signal)
      if (moved === undefined) return movedBytes
      movedBytes += moved
      await retire(volume, end)
      if (volume.holes.length > 0) throw damageFound()
      isGone = await remove(volume, end)
    }
    this.#counts.volumes++
    this.#counts.freedBytes += volume.end
    log.info({ volume: volume.id, movedBytes, freedBytes: volume.end - movedBytes }, 'volume compacted and removed')
    return movedBytes
  }

  /**
   * Appends to the active volume every needle that is not proven dead and has no copy in another volume.
   *
   * @returns bytes appended; undefined if the volume holds what was laid out, so that it has to stay
   */
  async #move(volume: Volume, trust: Trust, mode: Mode, signal: AbortSignal): Promise<number | undefined> {
    const { clock, volumes, judge, inspector } = this.#components
    const bytesPerSecondMax = mode === 'background' ? this.#init.bytesPerSecondMax : Number.POSITIVE_INFINITY
    const startedAt = clock.monotonic()
    const holeCount = volume.holes.length
    let movedBytes = 0
    let stays = false
    let drafts: NeedleDraft[] = []
    let draftBytes = 0
    const flush = async (): Promise<void> => {
      signal.throwIfAborted()
      if (drafts.length > 0) await volumes.append(drafts, 'upkeep')
      movedBytes += draftBytes
      this.#counts.movedBytes += draftBytes
      drafts = []
      draftBytes = 0
      const aheadMs = (movedBytes / bytesPerSecondMax) * 1000 - (clock.monotonic() - startedAt)
      if (aheadMs > 0) await clock.sleep(aheadMs, signal)
    }
    for await (const { row, verdict } of judgeNeedles(volume, judge)) {
      stays ||= verdict.isLaidOut === true
      if (verdict.isLaidOut === true || this.#drops(verdict, mode)) continue
      const draft = await this.#draftOf(volume, row, trust)
      if (draft === undefined) continue
      const byteCount = needleBytes(draft.data.byteLength)
      if (drafts.length >= MOVE_NEEDLES_MAX || draftBytes + byteCount > MOVE_BYTES_MAX) await flush()
      drafts.push(draft)
      draftBytes += byteCount
    }
    await flush()
    if (volume.holes.length > holeCount) throw damageFound()
    if (!stays) return movedBytes
    inspector.invalidate(volume) // it was counted before that, or it would not have been due
    return undefined
  }

  async #draftOf(volume: Volume, row: NeedleRow, trust: Trust): Promise<NeedleDraft | undefined> {
    if (row.kind === 'record') return this.#components.recordToMove(volume, row, trust)
    return (await this.#hasOtherCopy(volume, row, trust)) ? undefined : volume.readDraft(row)
  }

  async #hasOtherCopy(volume: Volume, row: NeedleRow, trust: Trust): Promise<boolean> {
    const { volumes, isRetired } = this.#components
    for (const location of volumes.locate(row)) {
      if (location.volume === volume.id || isRetired(location.volume) || location.length !== row.length) continue
      if (trust === 'indexed') return true
      try {
        await volumes.read(location, row)
        return true
      } catch (error) {
        this.#components.log.warn(
          { err: error, ...location },
          'another copy of a needle cannot be read; the needle is copied again'
        )
      }
    }
    return false
  }

  /** Runs a task while no compaction runs. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }
}

interface Candidate {
  readonly volume: Volume
  readonly liveBytes: number
  readonly oldestHeardAt: number
}

function byLiveBytes(a: Candidate, b: Candidate): number {
  return a.liveBytes - b.liveBytes
}

function byOldestDelete(a: Candidate, b: Candidate): number {
  return a.oldestHeardAt - b.oldestHeardAt
}

/** @returns bytes that a compaction frees */
function droppable({ deadBytes, gracedBytes }: Inspection, mode: Mode): number {
  return mode === 'now' ? deadBytes : deadBytes - gracedBytes
}

function damageFound(): SheafError {
  return new SheafError(
    'ERR_NEEDLE_CORRUPT',
    'damage was found in the volume during compaction; the volume is kept until it is repaired'
  )
}
