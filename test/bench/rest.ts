import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { NodeProcess } from '../support/node-process.js'
import { cpuMs } from './cpu-time.js'
import { type LibraryInit, madeLibrary, openServices } from './library.js'
import { atMost, type Measure } from './report.js'

const SETTLE_MS = 60_000
const RATIO_MAX = 1.2
/** What the scrub reads, see `local-store.ts`. */
const SCRUB_BYTES_PER_SECOND = 4_000_000

/**
 * What a library costs at rest: a node with one beside an empty one, at the same time, so that whatever else the machine does
 * falls on both. Its needles were counted by the process before, and it was scrubbed this week.
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
  const prepared = await prepare(folder, library)
  // the size that they were made with: a node with larger volumes moves what is in small ones
  // and without names of places: an index that was made with them would be made anew
  const flags = ['--volume-bytes', String(library.volumeBytes), '--places', 'off']
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
    },
    {
      name: `${name}: first count of what is needed`,
      value: `${((1e3 * prepared.countMs) / prepared.needles).toFixed(1)} µs of CPU a needle`,
      number: prepared.countMs,
      note: `${(prepared.countMs / 1e3).toFixed(1)} s for ${prepared.needles} needles: once, and again after a crash`
    },
    {
      name: `${name}: the weekly scrub`,
      value: `${percent((prepared.scrubMs / prepared.bytes) * SCRUB_BYTES_PER_SECOND * (elapsedMs / 1e3))} of a core`,
      number: prepared.scrubMs,
      note: `while it lasts, at 4 MB/s: ${((1e6 * prepared.scrubMs) / prepared.bytes).toFixed(1)} s of CPU a GB`
    }
  ]
}

/** Scrubs the library and counts its needles, in this process. @returns what that took of CPU, ms */
async function prepare(
  folder: string,
  { volumeBytes }: LibraryInit
): Promise<{ readonly countMs: number; readonly scrubMs: number; readonly needles: number; readonly bytes: number }> {
  const services = await openServices(folder, { volumeBytes })
  const { scrubber, inspector, volumes } = services.local
  const timed = async (task: () => Promise<unknown>): Promise<number> => {
    const before = process.cpuUsage()
    await task()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1e3
  }
  const scrubMs = await timed(() => scrubber.run(() => {}, new AbortController().signal))
  const countMs = await timed(async () => {
    for (const volume of volumes.volumes()) await inspector.inspect(volume)
  })
  const all = volumes.volumes()
  const needles = all.reduce((sum, { needleCount }) => sum + needleCount, 0)
  const bytes = all.reduce((sum, { end }) => sum + end, 0)
  await services.stop()
  return { countMs, scrubMs, needles, bytes }
}
