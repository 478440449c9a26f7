import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { READS_MAX, sourceOf, TOTAL_BYTES_MAX } from '../../../../../src/similarity/images/heads/head-bytes.js'
import { HEAD_FORMATS, type Head } from '../../../../../src/similarity/images/heads/head-facts.js'
import { readHead } from '../../../../../src/similarity/images/heads/read-head.js'
import {
  box,
  EXIF,
  exifOf,
  exifSegment,
  fullBox,
  heifHead,
  jpegHead,
  movieOf,
  packetOf,
  pngChunk,
  segment,
  tiffOf,
  u16,
  u32,
  xmpSegment
} from '../../../../support/head-files.js'
import { rawFiles } from '../../../../support/raw-files.js'
import { SeededRandom } from '../../../../support/seeded-random.js'
import { scene, toImage } from '../../../../support/test-pictures.js'

const LATEST = Date.UTC(2026, 10, 30)
const TAKEN = '2024:06:30 12:34:56'
/** The machine may be busy; on a quiet one none of these takes a tenth. */
const CPU_MS_MAX = 250
/** A hundred thousand take a few minutes: `MUTATIONS=100000 npx vitest run test/unit/similarity/images/heads`. */
const MUTATIONS = Number(process.env.MUTATIONS ?? 4_000)

interface Reading {
  readonly head: Head | undefined
  readonly reads: number
  readonly bytes: number
  readonly cpuMs: number
}

async function reading(file: Buffer): Promise<Reading> {
  const source = sourceOf(file)
  let reads = 0
  let bytes = 0
  const begun = process.cpuUsage()
  const read = (at: number, length: number): Promise<Uint8Array> => {
    expect(Number.isSafeInteger(at) && at >= 0 && length > 0 && at + length <= file.length).toBe(true)
    reads++
    bytes += length
    return source.read(at, length)
  }
  const head = await readHead({ size: file.length, read }, { latestMs: LATEST, name: '' })
  const { user, system } = process.cpuUsage(begun)
  return { head, reads, bytes, cpuMs: (user + system) / 1_000 }
}

/** What holds of any head of any bytes. */
function expectSound({ head, reads, bytes }: Reading): void {
  expect(reads).toBeLessThanOrEqual(READS_MAX)
  expect(bytes).toBeLessThanOrEqual(TOTAL_BYTES_MAX)
  if (head === undefined) return
  expect(HEAD_FORMATS).toContain(head.format)
  for (const side of [head.width, head.height])
    expect(side === undefined || (Number.isSafeInteger(side) && side > 0)).toBe(true)
  expect(head.width === undefined).toBe(head.height === undefined)
  const { takenAt, camera = {}, place } = head
  if (takenAt !== undefined) {
    expect(Number.isSafeInteger(takenAt.ms)).toBe(true)
    expect(Math.abs(takenAt.offsetMinutes ?? 0)).toBeLessThanOrEqual(14 * 60)
    expect(takenAt.ms + (takenAt.offsetMinutes ?? 0) * 60_000).toBeLessThanOrEqual(LATEST + 86_400_000)
  }
  for (const value of Object.values(camera))
    expect(
      typeof value === 'string' ? Buffer.byteLength(value) <= 64 && !/\p{Surrogate}/u.test(value) : value !== undefined
    ).toBe(true)
  for (const number of Object.values(place ?? {})) expect(Number.isFinite(number)).toBe(true)
  expect((head.keywords ?? []).length).toBeLessThanOrEqual(64)
}

const repeated = (count: number, part: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => part(i)))
const entry = (tag: number, type: number, count: number, value: number): Buffer =>
  Buffer.concat([u16(tag), u16(type), u32(count), u32(value)])
const directory = (...entries: readonly Buffer[]): Buffer => Buffer.concat([u16(entries.length), ...entries, u32(0)])
const tiffWith = (...parts: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from('MM'), u16(42), u32(8), ...parts])
const dateEntry = entry(EXIF.date, 2, 20, 16)

/** Attacks, each with what is still to be read of it. */
const attacks: Record<string, () => { readonly file: Buffer; readonly head?: Partial<Head> }> = {
  'a directory that is its own EXIF directory': () => ({
    file: tiffWith(directory(entry(0x8769, 4, 1, 8), entry(0x14a, 4, 1, 8), entry(0x8825, 4, 1, 8))),
    head: { format: 'tiff' }
  }),
  'directories in a ring': () => {
    const file = tiffWith(directory(entry(0x8769, 4, 1, 40)), Buffer.alloc(14), directory(entry(0x8769, 4, 1, 8)))
    return { file, head: { format: 'tiff' } }
  },
  '65,535 directories in one entry': () => ({
    file: tiffWith(
      directory(entry(0x14a, 4, 65_535, 26)),
      repeated(65_535, i => u32(26 + 4 * i))
    ),
    head: { format: 'tiff' }
  }),
  '4,000 entries that claim a megabyte each': () => ({
    file: tiffWith(
      u16(4_000),
      repeated(4_000, i => entry(0x8000 + i, i % 2 === 0 ? 2 : 7, 2 ** 20, 100)),
      Buffer.alloc(2 ** 20, 65)
    ),
    head: { format: 'tiff' }
  }),
  '4,000 wanted entries that claim four gigabytes': () => ({
    file: tiffWith(
      u16(4_000),
      repeated(4_000, i =>
        entry(
          [0x10f, 0x110, EXIF.date, 0x2bc, 0x83bb, 0x14a][i % 6] as number,
          i % 3 === 0 ? 2 : 4,
          0xffff_ffff,
          0xffff_fff0
        )
      )
    ),
    head: { format: 'tiff' }
  }),
  'values far apart': () => {
    const tags = [
      0x10f,
      0x110,
      EXIF.date,
      EXIF.digitized,
      EXIF.changed,
      0x9010,
      0x9011,
      0x9012,
      0x829a,
      0x829d,
      0xa434,
      0x920a
    ]
    const far = tags.map((tag, i) => entry(tag, i < 8 ? 2 : 5, 20, (i + 1) * 300_000))
    const ring = Array.from({ length: 8 }, (_, i) => entry(0x8769 + i, 4, 1, 4_000_000 + 100_000 * i))
    return {
      file: Buffer.concat([tiffWith(directory(...far, ...ring)), Buffer.alloc(5_000_000, 0x41)]),
      head: { format: 'tiff' }
    }
  },
  '47 KB of rationals': () => {
    const rationals = { rational: Array.from({ length: 2_000 }, (): [number, number] => [1, 3]) }
    const file = jpegHead(
      4,
      3,
      exifSegment(exifOf({ 33434: rationals, [EXIF.date]: TAKEN }, {}, { 2: rationals, 7: rationals }))
    )
    return { file, head: { format: 'jpeg', width: 4 } }
  },
  'a hundred thousand segments without anything': () => ({
    file: Buffer.concat([Buffer.of(0xff, 0xd8), repeated(100_000, () => segment(0xe5, ''))]),
    head: { format: 'jpeg' }
  }),
  'a megabyte of ff': () => ({
    file: Buffer.concat([Buffer.of(0xff, 0xd8), Buffer.alloc(2 ** 20, 0xff)]),
    head: { format: 'jpeg' }
  }),
  'a hundred blocks of EXIF': () => ({
    file: jpegHead(
      4,
      3,
      ...Array.from({ length: 100 }, () => exifSegment(tiffWith(directory(dateEntry), Buffer.alloc(50_000))))
    ),
    head: { format: 'jpeg' }
  }),
  'a hundred thousand chunks of a PNG': () => ({
    file: Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      repeated(100_000, () => pngChunk('abCd', Buffer.alloc(0)))
    ]),
    head: { format: 'png' }
  }),
  'a text that inflates to 300 MB': () => {
    const bomb = deflateSync(Buffer.alloc(300 * 2 ** 20), { level: 9 }).subarray(0, 250_000)
    const text = Buffer.concat([Buffer.from('Raw profile type exif\0\0', 'latin1'), bomb])
    return {
      file: Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), repeated(20, () => pngChunk('zTXt', text))]),
      head: { format: 'png' }
    }
  },
  'a raw profile of blanks': () => {
    const text = Buffer.concat([
      Buffer.from('Raw profile type exif\0\nexif 9', 'latin1'),
      Buffer.alloc(250_000, 32),
      Buffer.from('!')
    ])
    return {
      file: Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), pngChunk('tEXt', text)]),
      head: { format: 'png' }
    }
  },
  'XMP nested 15,000 deep': () => ({
    file: Buffer.concat([
      Buffer.from('RIFF\0\0\0\0WEBPXMP '),
      Buffer.from(u32(240_000)).reverse(),
      Buffer.from('<a:b><c:d>'.repeat(15_000) + '</c:d></a:b>'.repeat(7_500))
    ]),
    head: { format: 'webp' }
  }),
  'XMP of one long name, of open quotes, of blanks, of brackets': () => {
    const packets = [
      'x'.repeat(120_000),
      `<a ${'b '.repeat(60_000)}`,
      `<a ${'b="'.repeat(40_000)}`,
      `<a ${' '.repeat(120_000)}=>`,
      '<'.repeat(120_000),
      '<!--'.repeat(30_000),
      `<a b="${'&#x41;'.repeat(20_000)}"/>`
    ]
    const chunk = (text: string): Buffer =>
      Buffer.concat([Buffer.from('XMP '), Buffer.from(u32(text.length)).reverse(), Buffer.from(text)])
    return { file: Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBP'), ...packets.map(chunk)]), head: { format: 'webp' } }
  },
  'a HEIF that claims four thousand million of everything': () => {
    const many = u32(0xffff_ffff)
    const meta = fullBox(
      'meta',
      0,
      fullBox('pitm', 0, u16(1)),
      fullBox('iinf', 1, many),
      fullBox('iloc', 2, Buffer.of(0x44, 0x44), many, Buffer.alloc(100_000, 0xff)),
      box('iprp', box('ipco'), fullBox('ipma', 1, many, Buffer.alloc(100_000)))
    )
    return { file: Buffer.concat([box('ftyp', 'heic', u32(0)), meta]), head: { format: 'heif' } }
  },
  'boxes in boxes': () => {
    let file: Buffer = Buffer.alloc(0)
    for (let i = 0; i < 5_000; i++) file = box(i % 2 === 0 ? 'moov' : 'udta', file)
    return { file: Buffer.concat([box('ftyp', 'qt  ', u32(0)), file]), head: { format: 'mov' } }
  },
  'a hundred thousand empty boxes': () => ({
    file: Buffer.concat([box('ftyp', 'qt  ', u32(0)), repeated(100_000, () => box('free'))]),
    head: { format: 'mov' }
  }),
  'a box as long as a number can be': () => ({
    file: Buffer.concat([
      box('ftyp', 'qt  ', u32(0)),
      u32(1),
      Buffer.from('mdat'),
      Buffer.alloc(8, 0xff),
      Buffer.alloc(100)
    ]),
    head: { format: 'mov' }
  })
}

describe('an attack is read in little time and few reads', () => {
  test.each(Object.entries(attacks))('%s', async (_, attack) => {
    const { file, head } = attack()
    const read = await reading(file)
    expectSound(read)
    expect(read.cpuMs).toBeLessThan(CPU_MS_MAX)
    expect(read.head).toMatchObject(head ?? {})
  })
})

async function specimens(): Promise<Buffer[]> {
  const gps = {
    1: 'N',
    2: {
      rational: [
        [48, 1],
        [8, 1],
        [30, 1]
      ]
    },
    3: 'E',
    4: {
      rational: [
        [11, 1],
        [34, 1],
        [0, 1]
      ]
    },
    7: {
      rational: [
        [10, 1],
        [34, 1],
        [56, 1]
      ]
    },
    29: '2024:06:30'
  } as const
  const second = {
    [EXIF.date]: TAKEN,
    [EXIF.offset]: '+02:00',
    33434: { rational: [[1, 250]] },
    42036: 'EF 50mm',
    40962: { long: [5998] },
    40963: { long: [3998] }
  } as const
  const exif = exifOf(second, { 271: 'Canon', 272: 'Canon EOS', 274: { short: [6] } }, gps)
  const xmp = packetOf(
    'xmp:CreateDate="2024-06-30T12:34:56+02:00" xmp:Rating="3"',
    '<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>'
  )
  const iptc = Buffer.concat([
    Buffer.of(0x1c, 2, 55),
    u16(8),
    Buffer.from('20240630'),
    Buffer.of(0x1c, 2, 25),
    u16(3),
    Buffer.from('sea')
  ])
  const photoshop = segment(
    0xed,
    'Photoshop 3.0\0',
    Buffer.concat([Buffer.from('8BIM'), u16(0x404), Buffer.alloc(2), u32(iptc.length), iptc])
  )
  const sensor = { 254: { long: [0] }, 256: { long: [6000] }, 257: { long: [4000] }, 262: { short: [32_803] } } as const
  const raw = {
    271: 'NIKON',
    330: { directories: [sensor] },
    34665: { directories: [second] },
    34853: { directories: [gps] }
  } as const
  const png = await toImage(scene(1, 8, 6))
    .withExif({ IFD2: { DateTimeOriginal: TAKEN } })
    .png()
    .toBuffer()
  const webp = await toImage(scene(1, 8, 6))
    .withExif({ IFD2: { DateTimeOriginal: TAKEN } })
    .webp()
    .toBuffer()
  const raf = Buffer.concat([
    Buffer.from('FUJIFILMCCD-RAW 0201'.padEnd(84, '\0')),
    u32(120),
    u32(0),
    u32(100),
    Buffer.alloc(4),
    u32(1),
    u16(0x111),
    u16(4),
    u16(3),
    u16(4),
    Buffer.alloc(8),
    jpegHead(40, 30, exifSegment(exif))
  ])
  const keys = {
    'com.apple.quicktime.creationdate': '2021-05-28T15:40:38+0300',
    'com.apple.quicktime.location.ISO6709': '+54.3+010.1+003.5/'
  }
  const canon = box(
    'uuid',
    Buffer.from('85c0b687820f11e08111f4ce462b6a48', 'hex'),
    box('CMT1', tiffOf(sensor)),
    box('CMT2', tiffOf(second)),
    box('CMT4', tiffOf(gps))
  )
  return [
    jpegHead(40, 30, exifSegment(exif), xmpSegment(xmp), photoshop),
    png,
    webp,
    await toImage(scene(1, 8, 6))
      .gif()
      .toBuffer(),
    tiffOf(raw),
    tiffOf(raw, 'MM'),
    tiffOf({ 4: { short: [8] }, 5: { short: [10] }, 6: { short: [3008] }, 7: { short: [4010] }, ...raw }, 'II', 0x55),
    raf,
    heifHead({ width: 40, height: 30, turns: 1, exif, xmp, tiles: 4 }),
    heifHead({ width: 40, height: 30, exif, xmp, place: 'box', coding: 'av1C', brand: 'avif' }),
    movieOf({ keys, userData: { '\xa9xyz': '+54.3+010.1/' }, created: 3_700_000_000, turned: true }),
    movieOf({ brand: 'crx ', more: [canon] })
  ]
}

/** Changes a few bytes, mostly near the beginning, some to values that matter; may cut the file. */
function mutated(file: Buffer, random: SeededRandom): Buffer {
  const bytes = Buffer.from(file)
  const below = (bound: number): number => Math.floor(random.fraction() * bound)
  for (let changes = 1 + below(8); changes > 0; changes--) {
    const at = below(random.fraction() < 0.8 ? Math.min(bytes.length, 2_000) : bytes.length)
    const odd = [0, 1, 0x7f, 0x80, 0xff][below(8)]
    bytes[at] = odd ?? below(256)
    if (random.fraction() < 0.2) bytes.fill(odd ?? 0xff, at, Math.min(at + 4, bytes.length))
  }
  return random.fraction() < 0.2 ? bytes.subarray(0, below(bytes.length)) : bytes
}

test(`${MUTATIONS} damaged files are read without an error`, { timeout: 30_000 + MUTATIONS * 5 }, async () => {
  const files = await specimens()
  for (const file of files) expect((await reading(file)).head).toMatchObject({ width: expect.any(Number) })
  const jpegOf = (side: number): Promise<Buffer> =>
    toImage(scene(1, side, side))
      .jpeg()
      .toBuffer()
  for (const order of ['II', 'MM'] as const)
    files.push(...Object.values(rawFiles(await jpegOf(32), await jpegOf(8), order)))
  const random = new SeededRandom(0x4ead)
  let slowest = 0
  for (let i = 0; i < MUTATIONS; i++) {
    const file = mutated(files[i % files.length] as Buffer, random)
    const read = await reading(file)
    expectSound(read)
    slowest = Math.max(slowest, read.cpuMs)
  }
  expect(slowest).toBeLessThan(CPU_MS_MAX)
})

test('any bytes behind any beginning are read without an error', async () => {
  const files = await specimens()
  const beginning = fc.tuple(fc.constantFrom(...files), fc.nat(64)).map(([file, length]) => file.subarray(0, length))
  await fc.assert(
    fc.asyncProperty(beginning, fc.uint8Array({ maxLength: 300 }), async (start, rest) => {
      expectSound(await reading(Buffer.concat([start, rest])))
    })
  )
})
