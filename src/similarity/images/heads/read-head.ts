import type { Place } from '../../../domain/photo-facts.js'
import { isBmff, readBmff } from './bmff-head.js'
import { dateInName } from './date-in-name.js'
import { type ByteSource, ByteView, HeadBytes } from './head-bytes.js'
import { type Head, HeadFacts, type HeadFormat } from './head-facts.js'
import { isJpeg, readJpeg } from './jpeg-head.js'
import { findMotion, readTrailer } from './motion-places.js'
import { formatOfStream } from './movie-streams.js'
import { isPng, readPng } from './png-head.js'
import { findPreviews } from './preview-places.js'
import { isRaf, readRaf } from './raf-head.js'
import { isWebp, readWebp } from './riff-head.js'
import { readTiff } from './tiff-head.js'

/** What is known of a file beside its bytes. */
export interface HeadHints {
  /** When it came, ms since the Unix epoch: a date more than a day later is not believed. */
  readonly latestMs: number
  /** May have a date in it, which counts where the file has no better one. */
  readonly name: string
  /** Where a clock was of which the file says only UTC: `Europe/Berlin`, `+02:00`; undefined: nobody knows. */
  readonly zone?: string | undefined
  /** Where it was taken, as is said beside the file: it counts above what the file says, for the zone. */
  readonly place?: Place | undefined
}

/** Pictures behind which there may be a movie. */
const STILLS: readonly HeadFormat[] = ['jpeg', 'heic', 'heif', 'avif']
/** To look for a trailer takes a read more. */
const SAMSUNG = /^samsung\b/i
/** Bytes that tell the formats apart. */
const START_BYTES = 64

/**
 * Reads what the head of a picture or movie says: its size, its date, where and with what it was taken. Needs no decoder, and
 * not the whole file: a cut or damaged file gives what is left of its head. Every loop is counted, and every bound is in
 * head-bytes.ts: the file is a stranger's.
 *
 * @returns undefined for other formats
 * @throws only what `source.read` throws
 */
export async function readHead(
  source: ByteSource,
  { latestMs, name, zone, place }: HeadHints
): Promise<Head | undefined> {
  const bytes = new HeadBytes(source)
  const facts = new HeadFacts(latestMs)
  const format = await readFormat(bytes, await bytes.read(0, START_BYTES), facts)
  facts.date('name', dateInName(name))
  if (format === undefined) return undefined
  if (STILLS.includes(format) && SAMSUNG.test(facts.make ?? '')) await readTrailer(bytes, facts)
  const previews = await findPreviews(bytes, facts.previews)
  const motion = STILLS.includes(format) ? await findMotion(bytes, facts.motions) : undefined
  return facts.finish(format, { zone, place }, { previews, motion })
}

async function readFormat(bytes: HeadBytes, start: Buffer, facts: HeadFacts): Promise<HeadFormat | undefined> {
  if (isJpeg(start)) {
    await readJpeg(bytes, 0, facts)
    return 'jpeg'
  }
  if (isPng(start)) {
    await readPng(bytes, facts)
    return 'png'
  }
  if (isWebp(start)) {
    await readWebp(bytes, facts)
    return 'webp'
  }
  if (/^GIF8[79]a/.test(start.toString('latin1', 0, 6))) {
    const view = new ByteView(start, 'little')
    facts.size(view.u16(6), view.u16(8))
    return 'gif'
  }
  if (isRaf(start)) {
    await readRaf(bytes, facts)
    return 'raf'
  }
  if (isBmff(start)) return readBmff(bytes, facts)
  const movie = await formatOfStream(bytes, start)
  if (movie !== undefined) return movie
  return readTiff(bytes, 0, facts, 'file')
}
