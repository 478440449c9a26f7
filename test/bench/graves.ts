import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import { Directory } from '../../src/directory/directory.js'
import { encodeGraves, GRAVES_MAX, type Grave, gravesIdentity } from '../../src/domain/graves.js'
import { type ActorId, type NodeId, newPhotoId, volumeId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import { AntiEntropy } from '../../src/replication/records/anti-entropy.js'
import { CountingWire } from './counting-wire.js'
import { atLeast, atMost, type Measure } from './report.js'

const VOLUME = volumeId('00000000000000aa' as ActorId, 1)
const YEAR_MS = 365 * 24 * 3_600_000
const LOOK_UPS = 20_000

/**
 * What deletes cost for ever: a directory of graves alone, as the needles of many sweeps leave it.
 *
 * @param scratch - a folder for the databases
 */
export async function measureGraves(scratch: string, count: number): Promise<Measure[]> {
  const [full, empty] = [join(scratch, 'graves'), join(scratch, 'no-graves')]
  const name = `${count / 1_000}k graves`
  const there = await openDirectory(full)
  const cpu = process.cpuUsage()
  const logBytes = await fill(there, count)
  const fillUs = cpuUsSince(cpu) / count
  await there.stop()

  const bare = await openDirectory(empty)
  const absentUs = lookUp(bare)
  await bare.stop()
  rmSync(empty, { recursive: true })
  const startedAt = performance.now()
  const again = await openDirectory(full)
  const startMs = performance.now() - startedAt
  const ratio = lookUp(again) / absentUs

  const here = await openDirectory(empty)
  const exchanged = await exchange(here, again)
  await here.stop()
  await again.stop()
  await compact(full)
  const rowBytes = bytesIn(full) / count
  for (const folder of [full, empty]) rmSync(folder, { recursive: true })
  return [
    {
      name: `${name}: bytes per delete`,
      value: `${(logBytes / count + rowBytes).toFixed(1)} B`,
      number: logBytes / count + rowBytes,
      target: atMost(64, '≤ 64 B'),
      note: `${(logBytes / count).toFixed(1)} in the log, ${rowBytes.toFixed(1)} in LevelDB; a batch of one takes ${needleBytes(encodeGraves(PHOTO_KIND, [someGrave()]).length)} in the log`
    },
    {
      name: `${name}: replay`,
      value: `${fillUs.toFixed(1)} µs each`,
      number: fillUs,
      note: 'CPU; from needles of a thousand'
    },
    {
      name: `${name}: start`,
      value: `${startMs.toFixed(0)} ms`,
      number: startMs,
      target: atMost(3_000, '≤ 3 s'),
      note: 'of the directory'
    },
    {
      name: `${name}: look-up of an unknown id`,
      value: `${ratio.toFixed(2)} ×`,
      number: ratio,
      note: `against ${absentUs.toFixed(1)} µs in an empty directory`
    },
    {
      name: `${name}: anti-entropy of an empty node`,
      value: `${Math.round(exchanged.perSecond)}/s`,
      number: exchanged.perSecond,
      target: atLeast(50_000),
      note: `both sides in one process, ${exchanged.cpuUs.toFixed(1)} µs of CPU each; ${(exchanged.wireBytes / count).toFixed(1)} B each on the wire`
    }
  ]
}

/** @returns bytes of the needles */
async function fill(directory: Directory, count: number): Promise<number> {
  let offset = SUPERBLOCK_BYTES
  for (let left = count; left > 0; ) {
    const graves = Array.from({ length: Math.min(left, GRAVES_MAX) }, someGrave)
    const data = encodeGraves(PHOTO_KIND, graves)
    const end = offset + needleBytes(data.length)
    const needle = {
      ...gravesIdentity(data),
      flags: 0,
      data,
      location: { volume: VOLUME, offset, length: data.length }
    }
    await directory.apply({ volume: VOLUME, from: offset, to: end, needles: [needle] })
    offset = end
    left -= graves.length
  }
  return offset - SUPERBLOCK_BYTES
}

/** Of a photo born at some time in a year. */
function someGrave(): Grave {
  const at = Date.UTC(2026, 0, 1) + systemRandom.fraction() * YEAR_MS
  const clock = { ...systemClock, now: () => Math.floor(at) }
  return { id: newPhotoId(clock, systemRandom), generation: 0 }
}

/** @returns µs of CPU for each */
function lookUp(directory: Directory): number {
  const ids = Array.from({ length: LOOK_UPS }, () => someGrave().id)
  const cpu = process.cpuUsage()
  for (const id of ids) directory.lookUp({ kind: PHOTO_KIND, id })
  return cpuUsSince(cpu) / LOOK_UPS
}

async function exchange(
  here: Directory,
  there: Directory
): Promise<{ perSecond: number; cpuUs: number; wireBytes: number }> {
  const wire = new CountingWire()
  const shared = { clock: systemClock, random: systemRandom, log: silentLog }
  const antiEntropy = new AntiEntropy({ ...shared, directory: here, transport: wire.end('a') })
  new AntiEntropy({ ...shared, directory: there, transport: wire.end('b') })
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  let changed = 0
  while (here.digest() !== there.digest()) {
    changed += await antiEntropy.exchange('b' as NodeId, new AbortController().signal)
  }
  const perSecond = (changed / (performance.now() - startedAt)) * 1_000
  return { perSecond, cpuUs: cpuUsSince(cpu) / changed, wireBytes: wire.bytes }
}

/** What LevelDB does in time by itself. */
async function compact(folder: string): Promise<void> {
  const database = await levelDatabase(folder, nodeFileSystem).open()
  const { compactRange } = database as unknown as { compactRange(from: Uint8Array, to: Uint8Array): Promise<void> }
  await compactRange.call(database, Uint8Array.of(0), Uint8Array.of(0xff))
  await database.close()
}

function cpuUsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

async function openDirectory(folder: string): Promise<Directory> {
  const database = levelDatabase(folder, nodeFileSystem)
  const directory = new Directory({ database, log: silentLog, observe: () => {} })
  await directory.start()
  directory.complete()
  return directory
}
