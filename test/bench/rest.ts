import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { NodeProcess } from '../support/node-process.js'
import { cpuMs } from './cpu-time.js'
import { type LibraryInit, madeLibrary } from './library.js'
import { atMost, type Measure } from './report.js'

const SETTLE_MS = 60_000
const RATIO_MAX = 1.2

/**
 * What a library costs at rest: a node with one beside an empty one, at the same time, so that whatever else the machine does
 * falls on both.
 *
 * @param cache - where the library is kept
 * @param minutes - of rest; two rounds of inspection take 25
 */
export async function measureRest(
  scratch: string,
  cache: string,
  { photos, minutes }: { readonly photos: number; readonly minutes: number }
): Promise<Measure[]> {
  const library: LibraryInit = { photos, needles: 7, bytes: 2_000, volumeBytes: 64_000_000 }
  const folder = await madeLibrary(cache, `library-${photos}`, library)
  // the size that they were made with: a node with larger volumes moves what is in small ones
  const flags = ['--volume-bytes', String(library.volumeBytes)]
  const full = await NodeProcess.start({ dataDir: folder, flags, readyMsMax: 600_000 })
  const empty = await NodeProcess.start({ dataDir: join(scratch, 'rest-empty'), flags })
  await wait(SETTLE_MS)
  const before = { full: cpuMs(full), empty: cpuMs(empty) }
  const from = performance.now()
  await wait(minutes * 60_000)
  const elapsedMs = performance.now() - from
  const used = { full: cpuMs(full) - before.full, empty: cpuMs(empty) - before.empty }
  const { readyMs } = full
  const resident = { full: full.memory().rssBytes, empty: empty.memory().rssBytes }
  await full.stop()
  await empty.stop()
  const name = `${photos / 1_000}k photos of seven needles`
  const percent = (ms: number): string => `${((100 * ms) / elapsedMs).toFixed(2)} %`
  return [
    {
      name: `${name}: CPU at rest ÷ that of an empty node`,
      value: `${(used.full / used.empty).toFixed(2)} ×`,
      number: used.full / used.empty,
      target: atMost(RATIO_MAX),
      note: `${percent(used.full)} of a core and ${percent(used.empty)}, over ${minutes} min; no vectors, volumes of 64 MB, 2,000 bytes a picture`
    },
    {
      name: `${name}: start, to ready`,
      value: `${(readyMs / 1e3).toFixed(2)} s`,
      number: readyMs,
      note: 'its directory was made by this process'
    },
    {
      name: `${name}: resident set`,
      value: `${(resident.full / 1e6).toFixed(0)} MB`,
      number: resident.full,
      note: `${(resident.empty / 1e6).toFixed(0)} MB when empty`
    }
  ]
}
