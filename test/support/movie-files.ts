import { box, fullBox, movieOf, u16, u32 } from './head-files.js'

export interface MadeMovie {
  /** Each picture as it is stored. */
  readonly samples: readonly Buffer[]
  /** In each chunk; the last one may have fewer. */
  readonly perChunk?: number
  /** From 1; undefined: all of them. */
  readonly keys?: readonly number[]
  readonly seconds?: number
  /** A quarter turn clockwise. */
  readonly turned?: boolean
  readonly wide?: boolean
  readonly width: number
  readonly height: number
  /** What the pictures are coded with. */
  readonly coding?: string
}

const FTYP_BYTES = 20

/** @returns a movie whose pictures stand before its head, as cameras write it */
export function movieWith({ samples, perChunk = 2, keys, seconds = 10, wide = false, ...movie }: MadeMovie): Buffer {
  const { width, height, turned = false, coding = 'jpeg' } = movie
  const chunks = Array.from({ length: Math.ceil(samples.length / perChunk) }, (_, i) =>
    samples.slice(i * perChunk, (i + 1) * perChunk)
  )
  let at = FTYP_BYTES + 8
  const places = chunks.map(chunk => {
    const place = at
    at += chunk.reduce((sum, sample) => sum + sample.length, 0)
    return place
  })
  const runs = chunks.flatMap(({ length }, i) =>
    i === 0 || length !== perChunk ? [u32(i + 1), u32(length), u32(1)] : []
  )
  const same = samples.every(({ length }) => length === samples[0]?.length)
  const tables = box(
    'stbl',
    fullBox('stsd', 0, u32(1), sampleEntry(coding, width, height)),
    fullBox('stts', 0, u32(1), u32(samples.length), u32(Math.round((seconds * 600) / samples.length))),
    ...(keys ? [fullBox('stss', 0, u32(keys.length), ...keys.map(u32))] : []),
    fullBox('stsc', 0, u32(runs.length / 3), ...runs),
    same
      ? fullBox('stsz', 0, u32(samples[0]?.length ?? 0), u32(samples.length))
      : fullBox('stsz', 0, u32(0), u32(samples.length), ...samples.map(({ length }) => u32(length))),
    wide
      ? fullBox('co64', 0, u32(places.length), ...places.flatMap(place => [u32(0), u32(place)]))
      : fullBox('stco', 0, u32(places.length), ...places.map(u32))
  )
  const reference = box('dinf', fullBox('dref', 0, u32(1), box('url ', u32(1))))
  const media = box(
    'mdia',
    fullBox('mdhd', 0, u32(0), u32(0), u32(600), u32(seconds * 600), u32(0)),
    fullBox('hdlr', 0, u32(0), 'vide', Buffer.alloc(13)),
    box('minf', fullBox('vmhd', 0, u32(0), u32(0)), reference, tables)
  )
  return movieOf({ width, height, turned, media, data: Buffer.concat(samples) })
}

function sampleEntry(coding: string, width: number, height: number): Buffer {
  const resolution = u32(72 * 0x1_0000)
  return box(
    coding,
    Buffer.alloc(6),
    u16(1),
    Buffer.alloc(16),
    u16(width),
    u16(height),
    resolution,
    resolution,
    u32(0),
    u16(1),
    Buffer.alloc(32),
    u16(24),
    u16(0xffff)
  )
}
