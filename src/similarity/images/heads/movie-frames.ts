/*
 * Where a track of a movie has a picture that can be decoded by itself. Of the box 'stbl', from which every number but the first
 * ones of its lists is read where it stands:
 *
 *   stsd         how the samples are coded
 *   stss         u32 count · numbers, from 1, of the samples that need no other one; absent: all of them
 *   stsz         u32 bytes of each, 0: they differ · u32 count · bytes of each
 *   stsc         u32 count · runs of chunks: u32 first chunk, from 1 · u32 samples in each · u32 which entry of stsd
 *   stco, co64   u32 count · where each chunk begins
 *
 * The four bytes of version and flags before each are left out here.
 */
import { type Box, boxesOf } from './boxes.js'
import { ByteView, type HeadBytes } from './head-bytes.js'
import type { MovieFrames, Span } from './head-facts.js'

/** What tells a decoder of the samples. */
const CONFIG_BYTES_MAX = 64 * 1024
/** A key frame of 8K takes 4 MB. */
const FRAME_BYTES_MAX = 16 * 2 ** 20
/** Of each list; what is beyond is not looked at. */
const RUNS_MAX = 10_000
const KEYS_MAX = 10_000
const SAMPLES_BEFORE_MAX = 10_000
/** What is shown of a movie is so far from its beginning, or a tenth of it if that is less. */
const SHOWN_S = 1
const SHOWN_SHARE = 0.1

interface Tables {
  readonly config: Box
  readonly sizes: Box
  readonly runs: Box
  readonly chunks: Box
  readonly chunkBytes: 4 | 8
  readonly keys: Box | undefined
}

/** @returns undefined when it is no track of pictures, or its lists are not understood */
export async function framesOf(bytes: HeadBytes, media: Box): Promise<MovieFrames | undefined> {
  let seconds = 0
  let tables: Tables | undefined
  for await (const box of boxesOf(bytes, media.at, media.end)) {
    if (box.type === 'mdhd') seconds = durationOf(new ByteView(await bytes.read(box.at, 36)))
    else if (box.type === 'hdlr' && (await bytes.read(box.at + 8, 4)).toString('latin1') !== 'vide') return undefined
    else if (box.type === 'minf') tables = await tablesIn(bytes, box)
  }
  if (tables === undefined) return undefined
  const { config } = tables
  const length = config.end - config.at
  if (length > CONFIG_BYTES_MAX) return undefined
  const samples = new ByteView(await bytes.read(tables.sizes.at, 12)).u32(8)
  const share = seconds > 0 ? Math.min(SHOWN_S / seconds, SHOWN_SHARE) : 0
  const places: Located[] = []
  for (const key of await keyFrames(bytes, tables.keys, 1 + Math.floor(samples * share))) {
    const place = key > samples ? undefined : await locate(bytes, tables, key)
    if (place !== undefined && places.every(({ at }) => at !== place.at)) places.push(place)
  }
  const [first] = places
  if (first === undefined) return undefined
  const { configIndex } = first
  const frames = places.filter(place => place.configIndex === configIndex).map(({ at, length }) => ({ at, length }))
  return { config: { at: config.at, length }, configIndex, frames }
}

function durationOf(mdhd: ByteView): number {
  const isLong = mdhd.u8(0) === 1
  const scale = mdhd.u32(isLong ? 20 : 12)
  const duration = isLong ? mdhd.u64(24) : mdhd.u32(16)
  return scale === 0 ? 0 : duration / scale
}

async function tablesIn(bytes: HeadBytes, info: Box): Promise<Tables | undefined> {
  for await (const { type, at, end } of boxesOf(bytes, info.at, info.end)) {
    if (type !== 'stbl') continue
    const found = new Map<string, Box>()
    for await (const box of boxesOf(bytes, at, end)) found.set(box.type, box)
    const [config, sizes, runs] = [found.get('stsd'), found.get('stsz'), found.get('stsc')]
    const chunks = found.get('stco') ?? found.get('co64')
    if (config === undefined || sizes === undefined || runs === undefined || chunks === undefined) return undefined
    return { config, sizes, runs, chunks, chunkBytes: chunks.type === 'co64' ? 8 : 4, keys: found.get('stss') }
  }
  return undefined
}

/** @returns numbers of samples: the first key frame from `wanted` on, or the last before it, and the first one */
async function keyFrames(bytes: HeadBytes, keys: Box | undefined, wanted: number): Promise<number[]> {
  if (keys === undefined) return [wanted, 1]
  const view = new ByteView(await bytes.read(keys.at, 8 + 4 * KEYS_MAX))
  const count = Math.min(view.u32(4), Math.floor((view.length - 8) / 4))
  const numbers = Array.from({ length: Math.max(0, count) }, (_, i) => view.u32(8 + 4 * i)).filter(key => key > 0)
  const shown = numbers.find(key => key >= wanted) ?? numbers.at(-1)
  return [shown, numbers[0]].filter(key => key !== undefined)
}

interface Located extends Span {
  readonly configIndex: number
}

/** @returns where a sample stands in the file */
async function locate(bytes: HeadBytes, tables: Tables, sample: number): Promise<Located | undefined> {
  const { chunks, chunkBytes } = tables
  const found = await chunkOf(bytes, tables, sample - 1)
  if (found === undefined) return undefined
  const { chunk, before, configIndex } = found
  if (before > SAMPLES_BEFORE_MAX) return undefined
  const lengths = await lengthsOf(bytes, tables.sizes, sample - 1 - before, before + 1)
  const place = new ByteView(await bytes.read(chunks.at + 8 + chunkBytes * chunk, chunkBytes))
  const start = chunkBytes === 8 ? place.u64(0) : place.u32(0)
  const length = lengths.pop() ?? 0
  const at = lengths.reduce((sum, each) => sum + each, start)
  const isThere = start > 0 && length > 0 && length <= FRAME_BYTES_MAX && at + length <= bytes.size
  return isThere ? { at, length, configIndex } : undefined
}

/** @returns the number of the chunk that a sample is in, from 0, and of the samples before it in there */
async function chunkOf(
  bytes: HeadBytes,
  { runs, chunks }: Tables,
  sample: number
): Promise<{ readonly chunk: number; readonly before: number; readonly configIndex: number } | undefined> {
  const chunkCount = new ByteView(await bytes.read(chunks.at, 8)).u32(4)
  const view = new ByteView(await bytes.read(runs.at, 8 + 12 * RUNS_MAX))
  const count = Math.min(view.u32(4), Math.floor((view.length - 8) / 12))
  let left = sample
  for (let i = 0; i < count; i++) {
    const at = 8 + 12 * i
    const [first, each, configIndex] = [view.u32(at), view.u32(at + 4), view.u32(at + 8)]
    const next = i + 1 < count ? view.u32(at + 12) : chunkCount + 1
    if (first < 1 || each < 1 || next <= first || next > chunkCount + 1) return undefined
    if (left < (next - first) * each)
      return { chunk: first - 1 + Math.floor(left / each), before: left % each, configIndex }
    left -= (next - first) * each
  }
  return undefined
}

/** @returns bytes of as many samples from one on, counted from 0 */
async function lengthsOf(bytes: HeadBytes, sizes: Box, from: number, count: number): Promise<number[]> {
  const same = new ByteView(await bytes.read(sizes.at, 8)).u32(4)
  if (same > 0) return Array.from({ length: count }, () => same)
  const view = new ByteView(await bytes.read(sizes.at + 12 + 4 * from, 4 * count))
  return Array.from({ length: count }, (_, i) => view.u32(4 * i))
}
