/*
 * JPEGs in a CR3: the only sample of the first track is the picture in full size; a box PRVW, in a box 'uuid' behind 'moov', and a
 * box THMB hold smaller ones, behind numbers that differ between models.
 *
 *   trak › mdia › minf › stbl   stsz: u32 size of all samples, or 0 · u32 samples · u32 size of each
 *                               stco or co64: u32 chunks · u32 or u64 place of each, in the file
 */
import { type Box, boxesOf } from './boxes.js'
import { ByteView, type HeadBytes } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'

const PATH = ['mdia', 'minf', 'stbl']
const PREVIEW_UUID = 'eaf42b5e1c984b88b9fbb7dc406e4d16'
/** The identifier, and two numbers. */
const PREVIEW_HEAD_BYTES = 24
const UUID_BYTES = 16
/** No head of a box is longer. */
const NUMBERS_BYTES = 64

export async function noteTrackPreview(bytes: HeadBytes, track: Box, facts: HeadFacts): Promise<void> {
  let inner: Box | undefined = track
  for (const type of PATH) inner = inner && (await childOf(bytes, inner, type))
  const sizes = inner && (await childOf(bytes, inner, 'stsz'))
  const [near, far] = inner ? [await childOf(bytes, inner, 'stco'), await childOf(bytes, inner, 'co64')] : []
  const places = near ?? far
  if (sizes === undefined || places === undefined) return
  const size = new ByteView(await bytes.read(sizes.at, 16))
  const place = new ByteView(await bytes.read(places.at, 16))
  facts.preview(near === undefined ? place.u64(8) : place.u32(8), size.u32(4) || size.u32(12))
}

/** @param box - THMB or PRVW */
export async function noteBoxPreview(bytes: HeadBytes, { at, end }: Box, facts: HeadFacts): Promise<void> {
  const start = (await bytes.read(at, Math.min(NUMBERS_BYTES, end - at))).indexOf(Buffer.of(0xff, 0xd8, 0xff))
  if (start !== -1) facts.preview(at + start, end - at - start)
}

/** @param box - one 'uuid' behind 'moov' */
export async function noteUuidPreview(bytes: HeadBytes, { at, end }: Box, facts: HeadFacts): Promise<void> {
  if ((await bytes.read(at, UUID_BYTES)).toString('hex') !== PREVIEW_UUID) return
  const preview = await childOf(bytes, { type: 'uuid', at: at + PREVIEW_HEAD_BYTES, end }, 'PRVW')
  if (preview !== undefined) await noteBoxPreview(bytes, preview, facts)
}

async function childOf(bytes: HeadBytes, { at, end }: Box, type: string): Promise<Box | undefined> {
  for await (const box of boxesOf(bytes, at, end)) if (box.type === type) return box
  return undefined
}
