import { hasCode } from '../core/errors.js'
import type { VolumeId } from '../domain/ids.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { HoleRange, NeedleRow } from './index-file.js'
import type { CommitGroup, CommittedNeedle } from './needle-store.js'
import type { Volume } from './volume.js'

/** Bounds on one replayed group. */
const REPLAY_NEEDLES_MAX = 1000
const REPLAY_BYTES_MAX = 4 * 1024 * 1024

export interface ReplayComponents {
  /** How far the directory has come in the volume: all below `applied` is in it, some of what follows up to `reached`. */
  readonly progress: (volume: VolumeId) => { readonly applied: number; readonly reached: number }
  /** Applies a group to the directory. Called in the order of the volume, without overlap. */
  readonly commit: (group: CommitGroup) => Promise<void>
  /** Called when a replay skipped holes of a volume: the directory may lack records from there. */
  readonly onGap?: (volume: Volume) => void
}

/**
 * Passes the part of each volume that the directory lacks to `commit`.
 *
 * @returns needles replayed
 */
export async function replayVolumes(
  volumes: Iterable<Volume>,
  { progress, commit, onGap }: ReplayComponents
): Promise<number> {
  let needles = 0
  for (const volume of volumes) {
    const { applied: from } = progress(volume.id)
    if (from >= volume.end) continue
    needles += await replayVolume(volume, from, commit)
    if (volume.holes.some(({ to }) => to > from)) onGap?.(volume)
  }
  return needles
}

/** Groups end before each hole and begin again behind it: what is in a hole was not applied, and must not count as if. */
async function replayVolume(volume: Volume, applied: number, commit: ReplayComponents['commit']): Promise<number> {
  let from = applied
  let needles: CommittedNeedle[] = []
  let recordBytes = 0
  let replayed = 0
  const flush = async (to: number): Promise<void> => {
    await commit({ volume: volume.id, from, to, needles })
    replayed += needles.length
    needles = []
    recordBytes = 0
    from = to
  }
  const flushBefore = async (end: number): Promise<void> => {
    for (let hole = holeAfter(volume, from); hole !== undefined && hole.from < end; hole = holeAfter(volume, from)) {
      if (from < hole.from) await flush(hole.from)
      from = Math.min(end, hole.to)
    }
  }
  for await (const rows of volume.rows()) {
    for (const row of rows) {
      if (row.offset < applied) continue
      const needle = await readCommittedNeedle(volume, row)
      if (needle === undefined) continue // in a hole now
      await flushBefore(row.offset)
      if (needles.length >= REPLAY_NEEDLES_MAX || recordBytes >= REPLAY_BYTES_MAX) await flush(row.offset)
      needles.push(needle)
      recordBytes += needle.record?.byteLength ?? 0
    }
  }
  await flushBefore(volume.end)
  await flush(volume.end) // empty when the end is a hole: known to have been here all the same
  return replayed
}

/** @returns the first hole that holds needles at or behind the offset */
function holeAfter(volume: Volume, offset: number): HoleRange | undefined {
  return volume.holes.find(({ to }) => to > Math.max(offset, SUPERBLOCK_BYTES))
}

async function readCommittedNeedle(volume: Volume, row: NeedleRow): Promise<CommittedNeedle | undefined> {
  const { kind, id, generation, alternateKey, chunk, offset, length } = row
  const needle = {
    kind,
    id,
    generation,
    alternateKey,
    chunk,
    flags: row.isChunk ? 1 : 0,
    location: { volume: volume.id, offset, length }
  }
  if (kind !== 'record') return needle
  try {
    return { ...needle, record: await volume.read(offset, row, length) }
  } catch (error) {
    if (hasCode(error, 'ERR_NEEDLE_CORRUPT') || hasCode(error, 'ERR_DISK_READ')) return undefined // noted as a hole
    throw error
  }
}
