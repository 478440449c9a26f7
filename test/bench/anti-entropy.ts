import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import type { NodeId } from '../../src/domain/ids.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { AntiEntropy, type AntiEntropyComponents } from '../../src/replication/records/anti-entropy.js'
import { PhotoWriter } from '../unit/directory/photo-log.js'
import { CountingWire } from './counting-wire.js'
import { atMost, type Measure } from './report.js'

const DIFFERENCES = [10, 100, 1_000]
/** What a comparison of a million records that differ in so many may cost, whatever the size here. */
const TARGET_DIFFERENCES = 100
const WIRE_BYTES_MAX = 200_000
const WORK_MS_MAX = 1_000
const BATCH_RECORDS = 1_000

/**
 * Two directories in LevelDB that hold the same but for some records: a third of these only here, a third only there, a third
 * edited on both sides. One exchange makes them equal, over a transport that only counts.
 *
 * @param scratch - a folder for the databases
 * @param sizes - records in each directory
 */
export async function measureAntiEntropy(scratch: string, sizes: readonly number[]): Promise<Measure[]> {
  const measures: Measure[] = []
  for (const size of sizes) {
    const folders = [join(scratch, 'anti-entropy-a'), join(scratch, 'anti-entropy-b')] as const
    const shared = await fill(folders[0], size)
    cpSync(folders[0], folders[1], { recursive: true })
    const [here, there] = [await openDirectory(folders[0]), await openDirectory(folders[1])]
    for (const differences of DIFFERENCES) {
      await differ(here, there, shared, differences)
      measures.push(...(await measureExchange(here, there, size, differences)))
    }
    await here.stop()
    await there.stop()
    for (const folder of folders) rmSync(folder, { recursive: true })
  }
  return measures
}

async function measureExchange(
  here: Directory,
  there: Directory,
  size: number,
  differences: number
): Promise<Measure[]> {
  const wire = new CountingWire()
  const antiEntropy = new AntiEntropy({ ...componentsOf(here), transport: wire.end('a') })
  new AntiEntropy({ ...componentsOf(there), transport: wire.end('b') })
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const changed = await antiEntropy.exchange('b' as NodeId, new AbortController().signal)
  const ms = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpu)
  if (here.digest() !== there.digest()) throw new Error('the directories still differ')
  const isTarget = differences === TARGET_DIFFERENCES
  const name = `${size / 1_000}k records, ${differences} differ`
  const { bytes, requests } = wire
  return [
    {
      name: `${name}: on the wire`,
      value: `${(bytes / 1_000).toFixed(1)} kB`,
      number: bytes,
      ...(isTarget && { target: atMost(WIRE_BYTES_MAX, '≤ 200 kB') }),
      note: `${requests} requests; ${(bytes / differences).toFixed(0)} B a difference; ${changed} changes`
    },
    {
      name: `${name}: time`,
      value: `${ms.toFixed(0)} ms`,
      number: ms,
      ...(isTarget && { target: atMost(WORK_MS_MAX, '≤ 1 s') }),
      note: `both sides in one process; ${((user + system) / 1_000).toFixed(0)} ms of CPU`
    }
  ]
}

function componentsOf(directory: Directory): Omit<AntiEntropyComponents, 'transport'> {
  return { directory, clock: systemClock, random: systemRandom, log: silentLog }
}

async function openDirectory(folder: string): Promise<Directory> {
  const directory = new Directory({
    database: levelDatabase(folder, nodeFileSystem),
    log: silentLog,
    observe: () => {}
  })
  await directory.start()
  return directory
}

/** @returns some of the records that it made, for later edits */
async function fill(folder: string, size: number): Promise<DirectoryRecord[]> {
  rmSync(folder, { recursive: true, force: true })
  const directory = await openDirectory(folder)
  const kept: DirectoryRecord[] = []
  for (let made = 0; made < size; made += BATCH_RECORDS) {
    const writer = new PhotoWriter(made)
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => birth(writer, made + i))
    await directory.merge(records.map(encodeRecord))
    if (kept.length < BATCH_RECORDS) kept.push(...records.slice(0, Math.ceil((BATCH_RECORDS * BATCH_RECORDS) / size)))
    if ((made + BATCH_RECORDS) % 100_000 === 0) process.stderr.write(`  ${made + BATCH_RECORDS} records made\n`)
  }
  await directory.stop()
  return kept
}

/** Makes the two, which are equal, differ in so many records. */
async function differ(
  here: Directory,
  there: Directory,
  shared: readonly DirectoryRecord[],
  differences: number
): Promise<void> {
  const third = Math.floor(differences / 3)
  const counts = [third, third, differences - 2 * third]
  const sides = [here, there].map(directory => ({ directory, writer: new PhotoWriter(seed()) }))
  for (const [i, { directory, writer }] of sides.entries()) {
    const records = Array.from({ length: counts[i] ?? 0 }, (_, n) => birth(writer, n))
    for (const record of shared.slice(0, counts[2])) {
      const stored = await directory.get(record)
      writer.learn(stored?.record ?? record)
      records.push(writer.edit(record.id, { tags: { add: [`${differences} ${i}`] } }))
    }
    await directory.merge(records.map(encodeRecord))
  }
}

function birth(writer: PhotoWriter, n: number): DirectoryRecord {
  return writer.birth({ name: `IMG_${n}.jpg`, tags: ['holiday', 'sea'], width: 4_000, height: 3_000 })
}

function seed(): number {
  return Math.floor(systemRandom.fraction() * 2 ** 32)
}
