import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { decodingTools } from '../../src/similarity/images/decoding-tools.js'
import { ForkedImageProcess } from '../../src/similarity/images/forked-image-process.js'
import { type CodedTile, FLAT_512, heicFile, tileIn } from '../support/heic-files.js'
import { claimedAvif, scene, toImage } from '../support/test-pictures.js'
import { atMost, type Measure, versionOf } from './report.js'

const CHILD_PROGRAM = fileURLToPath(new URL('decoding-child.ts', import.meta.url))
const HEAD_MS_MAX = 20
const HEIC_MS_MAX = 1_000
const HEIC_12_BYTES_MAX = 160 * 2 ** 20
const HEIC_48_BYTES_MAX = 150 * 2 ** 20
const GROWTH_BYTES_MAX = 60 * 2 ** 20
const MANY = 200
/** After as many the process has all that it needs for one. */
const FIRST = 20
const PAGE_BYTES = 4_096
const TILE = 512
const GRAIN = { type: 'gaussian', mean: 128, sigma: 6 } as const

interface Cost {
  readonly outcome: string
  /** For one picture, warm. */
  readonly cpuMs: number
  /** By which the process's peak grew. */
  readonly bytes: number
}

/** What pictures take that are dear for their size. */
export async function measureDecoding(scratch: string): Promise<Measure[]> {
  mkdirSync(scratch, { recursive: true })
  const refused = costOf(scratch, 'flat.avif', await claimedAvif(8_000, 8_000), 50)
  const { tile, made } = await photographTile(scratch)
  const telephone = heicFile({ tile, columns: 8, rows: 6, width: 4_032, height: 3_024, turns: [{ irot: 3 }] })
  const large = heicFile({ tile, columns: 16, rows: 12, width: 8_064, height: 6_048 })
  const growth = await growthOverMany(heicFile({ tile, columns: 5, rows: 4, turns: [{ irot: 3 }] }))
  const [small12, large48] = [costOf(scratch, '12.heic', telephone, 3), costOf(scratch, '48.heic', large, 1)]
  return [
    {
      name: 'HEIC of 12 megapixels in 48 tiles, warm, CPU',
      value: `${small12.cpuMs.toFixed(0)} ms`,
      number: small12.cpuMs,
      target: atMost(HEIC_MS_MAX),
      note: `${small12.outcome}; ${made}, ${Math.ceil(tile.data.length / 1024)} KB each`,
      rounds: small12
    },
    heicMemory('HEIC of 12 megapixels in 48 tiles, memory', small12, HEIC_12_BYTES_MAX),
    heicMemory('HEIC of 48 megapixels in 192 tiles, memory', large48, HEIC_48_BYTES_MAX),
    {
      name: `image process, from ${FIRST} to ${MANY} HEICs of 5 megapixels, memory`,
      value: `${(growth / 2 ** 20).toFixed(0)} MiB more`,
      number: growth,
      target: atMost(GROWTH_BYTES_MAX, `≤ ${GROWTH_BYTES_MAX / 2 ** 20} MiB`),
      note: 'sizes, both hashes; what the process has while it does nothing'
    },
    {
      name: 'AVIF of 64 megapixels in 300 bytes, refused by its head, CPU',
      value: `${refused.cpuMs.toFixed(1)} ms`,
      number: refused.cpuMs,
      target: atMost(HEAD_MS_MAX),
      note: `${refused.outcome}; decoding one takes 2 s and 1.1 GB`,
      rounds: refused
    }
  ]
}

function heicMemory(name: string, { outcome, bytes, cpuMs }: Cost, max: number): Measure {
  return {
    name,
    value: `${(bytes / 2 ** 20).toFixed(0)} MiB`,
    number: bytes,
    target: atMost(max, `≤ ${max / 2 ** 20} MiB`),
    note: `${outcome}, ${cpuMs.toFixed(0)} ms of CPU; by how much the peak of the process grows`
  }
}

/** @returns by how many bytes the process grows after the first pictures */
async function growthOverMany(bytes: Buffer): Promise<number> {
  const tools = decodingTools({ heic: true, ffmpeg: false })
  const process = await ForkedImageProcess.start({ clock: systemClock, log: silentLog, tools })
  const request = {
    bytes,
    size: bytes.length,
    outputs: { facts: true, features: undefined },
    priority: 'backlog'
  } as const
  let first = 0
  for (let i = 1; i <= MANY; i++) {
    await process.analyze(request, new AbortController().signal)
    if (i === FIRST) first = residentBytes(process.pid)
  }
  const last = residentBytes(process.pid)
  await process.stop()
  return last - first
}

function residentBytes(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
}

/** @returns a tile as of a photograph, if Debian's heif-enc is here to encode it */
async function photographTile(scratch: string): Promise<{ readonly tile: CodedTile; readonly made: string }> {
  if (versionOf('heif-enc', ['--version']) === 'none')
    return { tile: FLAT_512, made: 'tiles of one colour, since heif-enc is not here (Debian: libheif-examples)' }
  const path = join(scratch, 'tile')
  const grain = { create: { width: TILE, height: TILE, channels: 3, background: '#000', noise: GRAIN } } as const
  const grained = toImage(scene(1, TILE, TILE)).composite([
    { input: await sharp(grain).png().toBuffer(), blend: 'soft-light' }
  ])
  await grained.jpeg({ quality: 95 }).toFile(`${path}.jpg`)
  execFileSync('heif-enc', ['-q', '50', `${path}.jpg`, '-o', `${path}.heic`], { stdio: 'ignore' })
  return {
    tile: tileIn(readFileSync(`${path}.heic`), TILE),
    made: 'the tiles are of a made picture, encoded by heif-enc'
  }
}

/** @returns what opening the picture takes in a process of its own */
function costOf(scratch: string, name: string, bytes: Uint8Array, rounds: number): Cost {
  const path = join(scratch, name)
  writeFileSync(path, bytes)
  const out = execFileSync(execPath, ['--import', 'tsx', CHILD_PROGRAM, path, String(rounds)], { encoding: 'utf8' })
  return JSON.parse(out) as Cost
}
