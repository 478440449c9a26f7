import { sourceOf } from '../../src/similarity/images/heads/head-bytes.js'
import { readHead } from '../../src/similarity/images/heads/read-head.js'
import { EXIF, exifOf, exifSegment, heifHead, movieOf, packetOf, tiffOf, xmpSegment } from '../support/head-files.js'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { scene, toImage } from '../support/test-pictures.js'
import { until } from '../support/until.js'
import { atMost, type Measure } from './report.js'

const ROUNDS = 2_000
const UPLOADS = 200
const KNOWN_MS_MAX = 500
const LOOK_MS = 5
const TAKEN = '2024:06:30 12:34:56'

/** What reading the head of a file takes, and how soon after an upload the size of a picture is known. */
export async function measureHeads(dataDir: string): Promise<Measure[]> {
  const costs: Record<string, Cost> = {}
  for (const [format, bytes] of Object.entries(await files())) costs[format] = await costOf(bytes)
  const slowest = Math.max(...Object.values(costs).map(({ ms }) => ms))
  const latency = await knownAfter(dataDir)
  return [
    {
      name: 'reading the head of a file, CPU',
      value: `${slowest.toFixed(2)} ms`,
      number: slowest,
      target: atMost(2),
      note: Object.entries(costs)
        .map(
          ([format, { ms, reads, bytes }]) =>
            `${format} ${ms.toFixed(2)} ms, ${reads} reads, ${Math.ceil(bytes / 1024)} KB`
        )
        .join('; '),
      rounds: costs
    },
    {
      name: 'from the receipt of an upload until the size of the picture is known, p99',
      value: `${latency.toFixed(0)} ms`,
      number: latency,
      target: atMost(KNOWN_MS_MAX),
      note: `${UPLOADS} JPEGs one after the other, each looked up every ${LOOK_MS} ms, while those before are being decoded`
    }
  ]
}

interface Cost {
  readonly ms: number
  readonly reads: number
  readonly bytes: number
}

async function files(): Promise<Record<string, Buffer>> {
  const first = { 271: 'Canon', 272: 'Canon EOS 80D', 274: { short: [6] } } as const
  const second = {
    [EXIF.date]: TAKEN,
    [EXIF.offset]: '+02:00',
    33437: { rational: [[28, 10]] },
    37500: { bytes: Buffer.alloc(20_000) }
  } as const
  const exif = exifOf(second, first)
  const xmp = packetOf('xmp:CreateDate="2024-06-30T12:34:56"', '<a:b>x</a:b>'.repeat(400))
  const jpeg = await toImage(scene(1, 1_200, 800))
    .jpeg()
    .toBuffer()
  const sensor = {
    254: { long: [0] },
    256: { long: [6_000] },
    257: { long: [4_000] },
    262: { short: [32_803] }
  } as const
  return {
    JPEG: Buffer.concat([jpeg.subarray(0, 2), exifSegment(exif), xmpSegment(xmp), jpeg.subarray(2)]),
    PNG: await toImage(scene(1, 1_200, 800))
      .withExif({ IFD2: { DateTimeOriginal: TAKEN } })
      .png()
      .toBuffer(),
    HEIC: heifHead({ width: 4_032, height: 3_024, tiles: 48, exif, xmp }),
    RAW: tiffOf({ ...first, 330: { directories: [sensor] }, 34665: { directories: [second] } }),
    MOV: movieOf({ keys: { 'com.apple.quicktime.creationdate': '2021-05-28T15:40:38+0300' }, created: 3_700_000_000 })
  }
}

async function costOf(file: Buffer): Promise<Cost> {
  const source = sourceOf(file)
  let reads = 0
  let bytes = 0
  const counted = {
    size: file.length,
    read: (at: number, length: number) => {
      reads++
      bytes += length
      return source.read(at, length)
    }
  }
  const begun = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++)
    await readHead(counted, { latestMs: Number.POSITIVE_INFINITY, name: 'IMG_20240630_123456.jpg' })
  const { user, system } = process.cpuUsage(begun)
  return { ms: (user + system) / 1_000 / ROUNDS, reads: reads / ROUNDS, bytes: bytes / ROUNDS }
}

/** @returns p99 in ms */
async function knownAfter(dataDir: string): Promise<number> {
  const node = await NodeProcess.start({ dataDir, flags: ['--model', 'none'] })
  const client = new HttpClient(node.url)
  const times: number[] = []
  // the first one starts the image process, which is not measured
  for (let i = -1; i < UPLOADS; i++) {
    const { photo_id } = await client.putPhoto(
      await toImage(scene(i + 2, 1_200, 800))
        .jpeg()
        .toBuffer(),
      `${i}.jpg`
    )
    const from = performance.now()
    await until(
      'the size is known',
      30_000,
      async () => {
        const { width } = await client.json<{ width: number | null }>('GET', `/photo/${photo_id}/meta`, 200)
        return width !== null
      },
      LOOK_MS
    )
    if (i >= 0) times.push(performance.now() - from)
  }
  client.close()
  await node.stop()
  return times.sort((a, b) => a - b)[Math.floor(0.99 * times.length)] as number
}
