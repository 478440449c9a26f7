import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { SeededRandom } from '../support/seeded-random.js'
import { cpuMs } from './cpu-time.js'
import { madeLibrary } from './library.js'
import { atMost, type Measure, median } from './report.js'

const AT_ONCE = 4
/** Photos that are read: those that were made last. */
const READ_PHOTOS = 1_000
const ROUND_MS = 5_000
const ROUNDS_MAX = 20
const RATIO_MAX = 2
const MINUTES_MAX = 60
const COMPLETE = 'the new index of the directory is complete, and read from now on'

/**
 * Reads by id while a node makes its index anew, beside another one with the same photos that does not. Each is stopped while the
 * other one is measured, in turn.
 *
 * @param cache - where the folder is kept
 * @param scratch - where it is copied to, twice
 */
export async function measureReindexing(cache: string, scratch: string, photos: number): Promise<Measure[]> {
  const library = await madeLibrary(cache, `reindexing-${photos}`, {
    photos,
    needles: 2,
    bytes: 2_048,
    volumeBytes: 1_000_000_000
  })
  const start = (name: string, flags: readonly string[]): Promise<NodeProcess> => {
    const dataDir = join(scratch, name)
    cpSync(library, dataDir, { recursive: true })
    return NodeProcess.start({ dataDir, flags, readyMsMax: 600_000 })
  }
  // the library's index is without names of places
  const quiet = await start('quiet', ['--places', 'off'])
  const paths = await somePaths(quiet.url)
  await readFor(quiet.url, paths, 0, ROUND_MS / 2)
  quiet.pause()
  const building = await start('building', ['--places', 'on'])
  const from = performance.now()
  let stoppedMs = 0
  const rounds: { readonly quiet: Latencies; readonly building: Latencies }[] = []
  const isOver = (): boolean => building.log().some(({ msg }) => msg === COMPLETE)
  await readFor(building.url, paths, 0, ROUND_MS / 2)
  for (let round = 0; round < ROUNDS_MAX && !isOver(); round++) {
    building.pause()
    quiet.continue()
    const stopped = performance.now()
    const without = await readFor(quiet.url, paths, round, ROUND_MS)
    stoppedMs += performance.now() - stopped
    quiet.pause()
    building.continue()
    const during = await readFor(building.url, paths, round, ROUND_MS)
    if (!isOver()) rounds.push({ quiet: without, building: during })
  }
  quiet.continue()
  await quiet.stop()
  while (!isOver()) await new Promise(resolve => setTimeout(resolve, 1_000))
  const minutes = (performance.now() - from - stoppedMs) / 60_000
  const cpu = cpuMs(building) / 60_000
  await building.stop()
  for (const name of ['quiet', 'building']) rmSync(join(scratch, name), { recursive: true })
  const ratios = rounds.map(round => round.building.p99 / round.quiet.p99).sort((a, b) => a - b)
  const middle = (of: (round: (typeof rounds)[number]) => number): string => median(rounds.map(of)).toFixed(2)
  return [
    {
      name: 'reads while the index is made anew, p99 against the same without',
      value: `${median(ratios).toFixed(2)} ×`,
      number: median(ratios),
      target: atMost(RATIO_MAX, `≤ ${RATIO_MAX}`),
      note: `${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)} in ${rounds.length} rounds; p99 ${middle(({ building }) => building.p99)} ms, without ${middle(({ quiet }) => quiet.p99)}; p50 ${middle(({ building }) => building.p50)} and ${middle(({ quiet }) => quiet.p50)}; ${AT_ONCE} at once`,
      rounds
    },
    {
      name: `making the index of ${photos} photos anew`,
      value: `${minutes.toFixed(1)} min`,
      number: minutes,
      target: atMost(MINUTES_MAX, `≤ ${MINUTES_MAX} min`),
      note: `with reads during ${((rounds.length * ROUND_MS) / 60_000).toFixed(1)} min of it; ${cpu.toFixed(1)} min of CPU, all that the node did`
    }
  ]
}

interface Latencies {
  /** ms */
  readonly p50: number
  readonly p99: number
  readonly count: number
}

async function somePaths(url: string): Promise<string[]> {
  const client = new HttpClient(url)
  const { photos } = await client.page(`?limit=${READ_PHOTOS}`)
  client.close()
  return photos.map(({ photo_id }) => `/photo/${photo_id}`)
}

async function readFor(url: string, paths: readonly string[], seed: number, ms: number): Promise<Latencies> {
  const random = new SeededRandom(seed)
  const client = new HttpClient(url)
  const latencies: number[] = []
  const until = performance.now() + ms
  const work = async (): Promise<void> => {
    while (performance.now() < until) {
      const from = performance.now()
      await client.request('GET', paths[random.below(paths.length)] ?? '')
      latencies.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  client.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), count: latencies.length }
}
