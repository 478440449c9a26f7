import { dirname } from 'node:path'
import type { Clock } from '../core/clock.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import type { VolumeId } from '../domain/ids.js'
import type { Inspector } from '../volumes/inspection.js'
import type { Counted } from '../volumes/tally.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { decodeCounts, encodeCounts } from './kept-counts-file.js'

export interface KeptCountsComponents {
  readonly fileSystem: Pick<FileSystem, 'readFile' | 'writeFileAtomic' | 'remove' | 'syncDirectory'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Logger
  readonly inspector: Pick<Inspector, 'counted' | 'resume' | 'graceMs'>
  readonly volumes: Pick<VolumeSet, 'volumes'>
}

/**
 * What was counted of the volumes, from a process that ends to the next one: to judge every needle of a large library takes
 * minutes of computing. The file is there only while no process runs, so that it never tells of what has changed since; after
 * a crash all is counted anew.
 */
export class KeptCounts {
  readonly #components: KeptCountsComponents
  readonly #path: string

  constructor(components: KeptCountsComponents, path: string) {
    this.#components = components
    this.#path = path
  }

  /**
   * Takes up what the last process left, before anything changes.
   *
   * @param isAsItWas - whether all of the log was in the directory already
   * @throws the disk's error: the file is still there, and will be wrong
   */
  async take(isAsItWas: boolean): Promise<void> {
    const { fileSystem, clock, log, inspector, volumes } = this.#components
    const bytes = await fileSystem.readFile(this.#path).catch((err: unknown) => {
      log.debug({ err }, 'cannot read what was counted of the volumes; counting it again')
      return new Uint8Array()
    })
    if (bytes === undefined) return
    await fileSystem.remove(this.#path)
    await fileSystem.syncDirectory(dirname(this.#path))
    const counts = decodeCounts(bytes, { graceMs: inspector.graceMs, nowMs: clock.monotonic() })
    if (counts === undefined || !isAsItWas) return
    const byId = new Map(volumes.volumes().map(volume => [volume.id, volume]))
    // without one of them, or with less of it, other needles are needed
    if ([...counts].some(([id, { end }]) => end > (byId.get(id)?.end ?? 0))) return
    for (const [id, counted] of counts) {
      const volume = byId.get(id)
      if (volume?.holes.length === 0) inspector.resume(volume, counted)
    }
  }

  /** Leaves what holds, once nothing changes any more. A failure only costs the next process its time. */
  async leave(): Promise<void> {
    const { fileSystem, clock, log, inspector, volumes } = this.#components
    const counts = new Map<VolumeId, Counted>()
    for (const volume of volumes.volumes()) {
      const counted = volume.holes.length === 0 ? inspector.counted(volume) : undefined
      if (counted !== undefined) counts.set(volume.id, counted)
    }
    if (counts.size === 0) return
    try {
      const bytes = encodeCounts(counts, { graceMs: inspector.graceMs, nowMs: clock.monotonic() })
      await fileSystem.writeFileAtomic(this.#path, bytes)
    } catch (err) {
      log.debug({ err }, 'could not keep what was counted of the volumes; the next start counts it again')
    }
  }
}
