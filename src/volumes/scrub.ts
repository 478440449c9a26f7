import type { Clock } from '../core/clock.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import { needleBytes } from '../domain/needle.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import { rereadHole } from './reread-holes.js'
import type { Volume } from './volume.js'
import type { VolumeCopies } from './volume-copies.js'
import type { VolumeSet } from './volume-set.js'

/** A step ends after the needle that reaches this many bytes, then saves the cursor. */
const STEP_BYTES = 16 * 1024 * 1024

export interface ScrubComponents {
  readonly volumes: VolumeSet
  readonly copies: Pick<VolumeCopies, 'fill'>
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  /** Called when all of a volume has been read. Default: nothing is done. */
  readonly onScrubbed?: (volume: Volume) => void
}

export interface ScrubInit {
  /** File that holds the position of the current pass. */
  readonly cursorPath: string
  readonly bytesPerSecondMax: number
  /** From the end of a pass to the start of the next, ms. */
  readonly intervalMs: number
}

export interface ScrubTotals {
  needles: number
  bytes: number
}

export interface ScrubProgress {
  /** 0…1; 1 between two passes. */
  readonly ratio: number
  /** Ms since the Unix epoch; undefined: no pass has ended yet. */
  readonly completedAtMs: number | undefined
}

interface Cursor {
  /** Volumes with smaller ids are done. */
  readonly volume: string
  readonly offset: number
  /** When the last complete pass ended, ms since the Unix epoch. */
  readonly completedAt: number
}

const START: Cursor = { volume: '', offset: SUPERBLOCK_BYTES, completedAt: 0 }

/** Verifies every byte of every volume against its checksums, continuously and at a limited rate; resumes after a restart. */
export class Scrubber {
  readonly #components: ScrubComponents
  readonly #init: ScrubInit
  #cursor: Cursor | undefined

  constructor(components: ScrubComponents, init: ScrubInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * How far the present pass is, and when the last one ended.
   *
   * @returns undefined before the first step of this process has read the position
   */
  progress(): ScrubProgress | undefined {
    const cursor = this.#cursor
    if (cursor === undefined) return undefined
    const { volume: at, offset, completedAt } = cursor
    let doneBytes = 0
    let totalBytes = 0
    for (const { id, end } of this.#components.volumes.volumes()) {
      totalBytes += end
      if (id < at) doneBytes += end
      else if (id === at) doneBytes += Math.min(offset, end)
    }
    const isResting = at === '' && completedAt > 0
    const ratio = isResting ? 1 : totalBytes === 0 ? 0 : doneBytes / totalBytes
    return { ratio, completedAtMs: completedAt === 0 ? undefined : completedAt }
  }

  async step(signal: AbortSignal): Promise<'busy' | 'idle'> {
    const { clock, volumes } = this.#components
    await this.#rereadHoles(signal)
    const cursor = this.#cursor ?? (await this.#load())
    if (cursor.volume === '' && clock.now() - cursor.completedAt < this.#init.intervalMs) return 'idle'
    const volume = volumes.volumes().find(({ id }) => id >= cursor.volume)
    if (volume === undefined) {
      await this.#save({ ...START, completedAt: clock.now() })
      return 'idle'
    }
    const startedAt = clock.monotonic()
    const from = volume.id === cursor.volume ? cursor.offset : SUPERBLOCK_BYTES
    const totals: ScrubTotals = { needles: 0, bytes: 0 }
    const offset = await this.#check(volume, from, STEP_BYTES, totals, signal)
    // continue with the next volume; '~' sorts after every character of an id
    const next =
      offset < volume.end ? { volume: volume.id, offset } : { volume: `${volume.id}~`, offset: SUPERBLOCK_BYTES }
    await this.#save({ ...next, completedAt: cursor.completedAt })
    const restMs = (totals.bytes / this.#init.bytesPerSecondMax) * 1000 - (clock.monotonic() - startedAt)
    if (restMs > 0) await clock.sleep(restMs, signal)
    return 'busy'
  }

  /** Runs one complete pass without a rate limit. */
  async run(progress: (done: number, total: number) => void, signal: AbortSignal): Promise<ScrubTotals> {
    const volumes = this.#components.volumes.volumes()
    const totalBytes = volumes.reduce((sum, volume) => sum + volume.end, 0)
    const totals: ScrubTotals = { needles: 0, bytes: 0 }
    for (const volume of volumes) {
      for (let at = SUPERBLOCK_BYTES; at < volume.end; ) {
        at = await this.#check(volume, at, STEP_BYTES, totals, signal)
        progress(totals.bytes, totalBytes)
      }
    }
    await this.#rereadHoles(signal)
    await this.#save({ ...START, completedAt: this.#components.clock.now() })
    return totals
  }

  /** Rereads all holes: what was unreadable once may be readable now. */
  async #rereadHoles(signal: AbortSignal): Promise<void> {
    const { volumes, copies } = this.#components
    for (const volume of volumes.volumes()) {
      for (const hole of volume.holes) {
        signal.throwIfAborted()
        await rereadHole(volume, hole, copies, signal)
      }
    }
  }

  /** Checks needles from `from` on, about `byteCount` bytes. @returns where to continue */
  async #check(
    volume: Volume,
    from: number,
    byteCount: number,
    totals: ScrubTotals,
    signal: AbortSignal
  ): Promise<number> {
    let { end } = volume
    for await (const event of volume.verify(from)) {
      signal.throwIfAborted()
      if (event.kind === 'needle') {
        totals.needles++
        totals.bytes += needleBytes(event.header.length)
        const next = event.offset + needleBytes(event.header.length)
        if (next - from < byteCount) continue
        end = next
        break
      } else if (event.kind === 'hole') {
        this.#components.log.error(
          { volume: volume.id, from: event.from, to: event.to },
          'scrub found a damaged range; it is repaired once a peer with an intact copy is reachable'
        )
        await volume.flushIndex()
      }
    }
    if (end >= volume.end) this.#components.onScrubbed?.(volume)
    return end
  }

  async #load(): Promise<Cursor> {
    const bytes = await this.#components.fileSystem.readFile(this.#init.cursorPath)
    this.#cursor = (bytes && parseCursor(Buffer.from(bytes).toString())) ?? START
    return this.#cursor
  }

  async #save(cursor: Cursor): Promise<void> {
    this.#cursor = cursor
    await this.#components.fileSystem.writeFileAtomic(this.#init.cursorPath, Buffer.from(JSON.stringify(cursor)))
  }
}

function parseCursor(text: string): Cursor | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { volume, offset, completedAt } = value as Partial<Record<keyof Cursor, unknown>>
    if (typeof volume !== 'string' || typeof offset !== 'number' || typeof completedAt !== 'number') return undefined
    return { volume, offset, completedAt }
  } catch {
    return undefined // a damaged cursor only restarts the pass
  }
}
