import { hasCode } from '../core/errors.js'
import type { VolumeId } from '../domain/ids.js'
import { type LogProgress, missingRanges } from '../domain/log-progress.js'
import { isOfDirectory, needleBytes } from '../domain/needle.js'
import { contains, type Range, within, withoutAll } from '../domain/ranges.js'
import type { NeedleRow } from './index-file.js'
import type { CommitGroup, CommittedNeedle } from './needle-store.js'
import type { Volume } from './volume.js'

/** Bounds on one replayed group. */
const REPLAY_NEEDLES_MAX = 1000
const REPLAY_BYTES_MAX = 4 * 1024 * 1024

export interface ReplayComponents {
  /** What the directory has of the volume. */
  readonly progress: (volume: VolumeId) => LogProgress
  /** Applies a group to the directory. Called in the order of the volume, without overlap. */
  readonly commit: (group: CommitGroup) => Promise<void>
  /** Called when the directory still lacks a part of a volume after a replay: it is in a hole. */
  readonly onGap?: (volume: Volume) => void
}

/**
 * Passes the parts of each volume that the directory lacks to `commit`, except what is in holes.
 *
 * @returns needles replayed
 */
export async function replayVolumes(
  volumes: Iterable<Volume>,
  { progress, commit, onGap }: ReplayComponents
): Promise<number> {
  let needles = 0
  for (const volume of volumes) {
    const { id, end } = volume
    const missing = missingRanges(progress(id), end)
    if (withoutAll(missing, volume.holes).length > 0) needles += await replayVolume(volume, missing, commit)
    // a hole at the end: the log is known to be that long all the same
    if (progress(id).reached < end) await commit({ volume: id, from: end, to: end, needles: [] })
    if (progress(id).gaps.length > 0) onGap?.(volume)
  }
  return needles
}

/** Groups end before each hole and begin again behind it: what is in a hole was not applied, and must not count as if. */
async function replayVolume(
  volume: Volume,
  missing: readonly Range[],
  commit: ReplayComponents['commit']
): Promise<number> {
  let from = 0
  let needles: CommittedNeedle[] = []
  let dataBytes = 0
  let replayed = 0
  const flush = async (to: number): Promise<void> => {
    for (const range of withoutAll(within(missing, { from, to }), volume.holes)) {
      const inside = needles.filter(({ location }) => contains([range], location.offset))
      await commit({ volume: volume.id, ...range, needles: inside })
      replayed += inside.length
    }
    needles = []
    dataBytes = 0
    from = to
  }
  for await (const rows of volume.rows()) {
    for (const row of rows) {
      if (!contains(missing, row.offset)) continue
      const needle = await readCommittedNeedle(volume, row)
      if (needle === undefined) continue
      if (needles.length >= REPLAY_NEEDLES_MAX || dataBytes >= REPLAY_BYTES_MAX) await flush(row.offset)
      needles.push(needle)
      dataBytes += needle.data?.byteLength ?? 0
    }
  }
  await flush(volume.end)
  return replayed
}

/** @returns undefined when the needle cannot be read; then it is in a hole, to be read again or filled by a peer */
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
  if (!isOfDirectory(kind)) return needle
  try {
    return { ...needle, data: await volume.read(offset, row, length) }
  } catch (error) {
    if (!hasCode(error, 'ERR_NEEDLE_CORRUPT') && !hasCode(error, 'ERR_DISK_READ')) throw error
    // whatever the reason was, e.g. too little memory: the directory lacks the record
    volume.noteHole({ from: offset, to: offset + needleBytes(length) }, 'unreadable')
    return undefined
  }
}
