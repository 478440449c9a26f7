import { join } from 'node:path'
import type { NodeServices } from '../../src/node-services.js'
import type { CompactionResult } from '../../src/volumes/compaction.js'
import { until } from '../support/until.js'
import { addPhotos, type LibraryInit, openServices } from './library.js'
import { atMost, type Measure } from './report.js'

const VOLUME_BYTES = 2 ** 20
const PHOTO_BYTES = 32_000
const PHOTOS_PER_VOLUME = 30
const DUE_SHARE = 0.1
/** Of a due volume's photos, deleted. */
const DELETED_SHARE = 0.6
const CPU_MS_MAX = 30_000
const COMPACTED_MS_MAX = 600_000

/** `sheaf compact` where a tenth of many volumes is due: its cost must follow these, not the others. */
export async function measureCompaction(scratch: string, volumes: number): Promise<Measure[]> {
  const library: LibraryInit = {
    photos: volumes * PHOTOS_PER_VOLUME,
    needles: 2,
    bytes: PHOTO_BYTES,
    volumeBytes: VOLUME_BYTES
  }
  const services = await openServices(join(scratch, 'compaction'), { volumeBytes: VOLUME_BYTES, purgeMs: 0 })
  const ids = await addPhotos(services, library)
  const written = services.local.volumes.volumes().length
  const deleted = ids
    .slice(0, ids.length * DUE_SHARE)
    .filter((_, i) => i % PHOTOS_PER_VOLUME < PHOTOS_PER_VOLUME * DELETED_SHARE)
  for (const id of deleted) await services.photos.remove(id)
  const cpu = process.cpuUsage()
  const result = await compact(services)
  const { user, system } = process.cpuUsage(cpu)
  const ms = (user + system) / 1e3
  const left = services.local.volumes.volumes().length
  await services.stop()
  return [
    {
      name: `compaction of ${Math.round(written * DUE_SHARE)} due volumes of ${written}`,
      value: `${(ms / 1e3).toFixed(1)} s of CPU`,
      number: ms,
      ...(volumes === 1_000 && { target: atMost(CPU_MS_MAX, '≤ 30 s') }),
      note: `volumes of 1 MiB; ${result.volumes} compacted, ${(result.freedBytes / 1e6).toFixed(0)} MB freed, ${left} volumes are left`
    }
  ]
}

async function compact({ maintenance, jobs }: NodeServices): Promise<CompactionResult> {
  const { id } = maintenance.compact(true)
  await until('the compaction is done', COMPACTED_MS_MAX, async () => jobs.get(id)?.finishedAtMs !== undefined)
  const job = jobs.get(id)
  if (job?.state !== 'done') throw new Error(`the compaction is ${job?.state}: ${job?.error?.message}`)
  return job.result as CompactionResult
}
