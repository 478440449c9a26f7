import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { VolumeId } from '../domain/ids.js'
import { needleBytes } from '../domain/needle.js'
import type { NeedleRow } from './index-file.js'
import { type Inspection, type Inspector, type Judge, judgeNeedles } from './inspection.js'
import type { NeedleDraft } from './needle-store.js'
import type { Volume } from './volume.js'
import type { VolumeSet } from './volume-set.js'

/** Bounds on one append of live needles. */
const MOVE_BYTES_MAX = 4 * 1024 * 1024
const MOVE_NEEDLES_MAX = 256
/** A closed volume below this share of its capacity is tiny; at least TINY_VOLUMES_MIN of them are merged. */
const TINY_SHARE = 0.1
const TINY_VOLUMES_MIN = 4

/** `background`: at a limited rate, and without deletes that may still be undone. `manual`: an operator asked for it. */
type Mode = 'background' | 'manual'

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
  /** Whether this node compacts the volume: the writer does, or the substitute of one that is gone. */
  readonly isOwner: (volume: Volume) => boolean
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
  #turn: Promise<unknown> = Promise.resolve()

  constructor(components: CompactionComponents, init: CompactionInit) {
    this.#components = components
    this.#init = init
  }

  /** Compacts one volume that is due, in the background. @returns `idle` when there was none */
  async step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    await this.#closeOverdue()
    await this.#evacuateDamaged('background', signal)
    const [volume] = await this.#due('background')
    if (volume === undefined) return 'idle'
    await this.exclusively(() => this.#compact(volume, 'background', signal))
    return 'busy'
  }

  /** Compacts every volume with dead bytes, the active one included, without a rate limit: what an operator asks for. */
  async run(progress: (done: number, total: number) => void, signal: AbortSignal): Promise<CompactionResult> {
    const { volumes, inspector } = this.#components
    inspector.invalidateAll()
    for (const volume of volumes.volumes()) {
      if (volume.state !== 'active') continue
      const { deadBytes } = await inspector.inspect(volume)
      if (deadBytes > 0) await volumes.closeActive()
    }
    await this.#evacuateDamaged('manual', signal)
    const due = await this.#due('manual')
    let movedBytes = 0
    let freedBytes = 0
    for (const [i, volume] of due.entries()) {
      progress(i, due.length)
      const moved = await this.exclusively(() => this.#compact(volume, 'manual', signal))
      movedBytes += moved
      if (this.#components.volumes.get(volume.id) === undefined) freedBytes += volume.end - moved
    }
    progress(due.length, due.length)
    return { volumes: due.length, movedBytes, freedBytes }
  }

  /** Volumes to compact, those with the fewest bytes to move first: on a full disk they free space at the least cost. */
  async #due(mode: Mode): Promise<Volume[]> {
    const { volumes, inspector, isRetired, isOwner } = this.#components
    const deadShareMin = mode === 'manual' ? 0 : this.#init.deadShareMin
    const due: { volume: Volume; liveBytes: number }[] = []
    const tiny: { volume: Volume; liveBytes: number }[] = []
    for (const volume of volumes.volumes()) {
      // a hole may hide a needle that a repair could recover
      if (volume.state === 'active' || volume.holes.length > 0) continue
      const { liveBytes, undoableBytes, holdsForgotten, ...counted } = await inspector.inspect(volume)
      // one node compacts a volume, the others only remove it once retired; but every node must drop what is forgotten
      if (!isOwner(volume) && !isRetired(volume.id) && !holdsForgotten) continue
      const deadBytes = mode === 'manual' ? counted.deadBytes : counted.deadBytes - undoableBytes
      const empty = liveBytes === 0 && (mode === 'manual' || undoableBytes === 0)
      const purge = holdsForgotten || this.#isOverdue(counted)
      const share = volume.end === 0 ? 0 : deadBytes / volume.end
      const candidate = { volume, liveBytes }
      if (isRetired(volume.id) || purge || empty || (deadBytes > 0 && share >= deadShareMin)) due.push(candidate)
      else if (volume.end < TINY_SHARE * volumes.volumeBytes) tiny.push(candidate)
    }
    if (tiny.length >= TINY_VOLUMES_MIN) due.push(...tiny)
    return due.sort((a, b) => a.liveBytes - b.liveBytes).map(({ volume }) => volume)
  }

  /**
   * Moves the intact needles out of retired volumes with holes, because peers no longer fetch them from there. The volumes
   * are kept: a repair may recover what the holes hide.
   */
  async #evacuateDamaged(mode: Mode, signal: AbortSignal): Promise<void> {
    const { volumes, isRetired } = this.#components
    for (const volume of volumes.volumes()) {
      if (volume.holes.length === 0 || volume.state === 'active' || !isRetired(volume.id)) continue
      await this.exclusively(() => this.#move(volume, 'indexed', mode, signal))
    }
  }

  /** Gives up on volumes with holes that no peer could fill: moves their intact needles and quarantines the files. */
  async retireDamaged(signal: AbortSignal): Promise<void> {
    const { volumes, retire } = this.#components
    for (const volume of volumes.volumes()) {
      if (volume.holes.length === 0 || volume.state === 'active') continue
      await this.exclusively(async () => {
        await this.#move(volume, 'checked', 'background', signal)
        await retire(volume, volume.end)
        await volumes.quarantine(volume)
      })
    }
  }

  /** Closes an active volume with overdue deletes: on a node that writes little it would never fill and be compacted. */
  async #closeOverdue(): Promise<void> {
    const { volumes, inspector } = this.#components
    for (const volume of volumes.volumes()) {
      if (volume.state !== 'active') continue
      const inspection = await inspector.inspect(volume)
      if (inspection.holdsForgotten || this.#isOverdue(inspection)) await volumes.closeActive()
    }
  }

  #isOverdue({ oldestDeleteAt }: Pick<Inspection, 'oldestDeleteAt'>): boolean {
    return oldestDeleteAt !== undefined && this.#components.clock.now() - oldestDeleteAt >= this.#init.purgeMs
  }

  /** @returns bytes that had to be moved */
  async #compact(volume: Volume, mode: Mode, signal: AbortSignal): Promise<number> {
    const { log, retire, isRetired, volumes } = this.#components
    if (volumes.get(volume.id) !== volume || volume.holes.length > 0) return 0 // may have changed while this call waited
    let movedBytes = 0
    if (!isRetired(volume.id)) {
      const { end } = volume
      movedBytes = await this.#move(volume, 'indexed', mode, signal)
      await retire(volume, end)
    }
    // this copy may be longer than the one that another node retired: move the rest as well, and retire up to its end
    for (let end = 0; end < volume.end; ) {
      end = volume.end
      movedBytes += await this.#move(volume, 'checked', mode, signal)
      await retire(volume, end)
    }
    if (volume.holes.length > 0) throw damageFound()
    await volumes.remove(volume)
    log.info({ volume: volume.id, movedBytes, freedBytes: volume.end - movedBytes }, 'volume compacted and removed')
    return movedBytes
  }

  /**
   * Appends to the active volume every needle that is not proven dead and has no copy in another volume.
   *
   * @returns bytes appended
   */
  async #move(volume: Volume, trust: Trust, mode: Mode, signal: AbortSignal): Promise<number> {
    const { clock, volumes, judge, inspector } = this.#components
    const bytesPerSecondMax = mode === 'manual' ? Number.POSITIVE_INFINITY : this.#init.bytesPerSecondMax
    const startedAt = clock.monotonic()
    const holeCount = volume.holes.length
    let movedBytes = 0
    let drafts: NeedleDraft[] = []
    let draftBytes = 0
    const flush = async (): Promise<void> => {
      signal.throwIfAborted()
      if (drafts.length > 0) await volumes.append(drafts, 'upkeep')
      movedBytes += draftBytes
      drafts = []
      draftBytes = 0
      const aheadMs = (movedBytes / bytesPerSecondMax) * 1000 - (clock.monotonic() - startedAt)
      if (aheadMs > 0) await clock.sleep(aheadMs, signal)
    }
    for await (const { row, verdict } of judgeNeedles(volume, judge)) {
      if (verdict.state === 'dead' && (mode === 'manual' || !inspector.isUndoable(verdict))) continue
      const draft = await this.#draftOf(volume, row, trust)
      if (draft === undefined) continue
      const byteCount = needleBytes(draft.data.byteLength)
      if (drafts.length >= MOVE_NEEDLES_MAX || draftBytes + byteCount > MOVE_BYTES_MAX) await flush()
      drafts.push(draft)
      draftBytes += byteCount
    }
    await flush()
    if (volume.holes.length > holeCount) throw damageFound()
    return movedBytes
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

  /** Removes all needles that the horizon has passed, without waiting for a volume to be due. */
  async purge(signal: AbortSignal): Promise<void> {
    const { volumes, inspector } = this.#components
    inspector.invalidateAll()
    await this.#closeOverdue()
    for (const volume of volumes.volumes()) {
      const { holdsForgotten } = await inspector.inspect(volume)
      if (volume.state !== 'active' && holdsForgotten && volume.holes.length === 0)
        await this.exclusively(() => this.#compact(volume, 'background', signal))
    }
  }

  /** Runs a task while no compaction runs. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }
}

function damageFound(): SheafError {
  return new SheafError(
    'ERR_NEEDLE_CORRUPT',
    'damage was found in the volume during compaction; the volume is kept until it is repaired'
  )
}
