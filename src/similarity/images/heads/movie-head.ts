/*
 * The box 'moov' of MP4, MOV and CR3.
 *
 *   mvhd         creation time, seconds since 1904 UTC; 0: unknown · ticks a second · duration, ticks
 *   trak › tkhd  matrix, and size as 16.16 fixed-point; 0 for sound
 *   trak › mdia  where the pictures are (movie-frames.ts)
 *   udta         ©day, ©xyz, ©mak, ©mod: u16 length · u16 language · text
 *   meta         keys: names · ilst: values by number from 1, each a box 'data' with u32 type · u32 language · value; also in udta
 *   uuid of CR3  CMT1 first directory, CMT2 EXIF, CMT4 GPS: each a TIFF; THMB: a thumbnail (cr3-previews.ts)
 */
import { type Box, boxesIn, boxesOf } from './boxes.js'
import { noteBoxPreview, noteTrackPreview } from './cr3-previews.js'
import { ByteView, type HeadBytes, ITEMS_MAX, textFrom } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { framesOf } from './movie-frames.js'
import { readTiff } from './tiff-head.js'

const EPOCH_MS = Date.UTC(1904, 0, 1)
const CANON_UUID = '85c0b687820f11e08111f4ce462b6a48'
const UUID_BYTES = 16
/** No list of texts is longer. */
const TEXTS_BYTES_MAX = 64 * 1024
const TRACKS_MAX = 16

/** As in EXIF, by the signs of a matrix; others are upright. */
const ORIENTATIONS = new Map([
  ['-1 0 0 1', 2],
  ['-1 0 0 -1', 3],
  ['1 0 0 -1', 4],
  ['0 1 1 0', 5],
  ['0 1 -1 0', 6],
  ['0 -1 -1 0', 7],
  ['0 -1 1 0', 8]
])

const KEYS = new Map([
  ['com.apple.quicktime.creationdate', 'day'],
  ['com.apple.quicktime.location.ISO6709', 'place'],
  ['com.apple.quicktime.content.identifier', 'live'],
  ['com.apple.quicktime.make', 'make'],
  ['com.apple.quicktime.model', 'model'],
  ['\xa9day', 'day'],
  ['\xa9xyz', 'place'],
  ['\xa9mak', 'make'],
  ['\xa9mod', 'model']
] as const)
type Meaning = 'day' | 'place' | 'live' | 'make' | 'model'

export async function readMovie(
  bytes: HeadBytes,
  from: number,
  end: number,
  facts: HeadFacts,
  isCr3 = false
): Promise<void> {
  let tracks = 0
  for await (const box of boxesOf(bytes, from, end)) {
    if (box.type === 'mvhd') {
      const mvhd = new ByteView(await bytes.read(box.at, 36))
      tellCreation(mvhd, facts)
      tellDuration(mvhd, facts)
    } else if (box.type === 'trak' && tracks++ < TRACKS_MAX) {
      if (isCr3 && tracks === 1) await noteTrackPreview(bytes, box, facts)
      await readTrack(bytes, box, facts)
    } else if (box.type === 'udta') await readUserData(bytes, box, facts)
    else if (box.type === 'meta') await readKeys(bytes, box, facts)
    else if (box.type === 'uuid') await readCanon(bytes, box, facts)
  }
}

function tellCreation(mvhd: ByteView, facts: HeadFacts): void {
  const seconds = mvhd.u8(0) === 1 ? mvhd.u64(4) : mvhd.u32(4)
  const localMs = EPOCH_MS + seconds * 1_000
  // some write seconds since 1970, or nothing
  if (seconds > 0 && localMs >= 0) facts.date('container', { localMs, offsetMinutes: 0, precision: 'second' })
}

function tellDuration(mvhd: ByteView, facts: HeadFacts): void {
  const isLong = mvhd.u8(0) === 1
  const ticks = isLong ? mvhd.u64(24) : mvhd.u32(16)
  const aSecond = mvhd.u32(isLong ? 20 : 12)
  if (aSecond > 0) facts.duration(ticks / aSecond)
}

/** The first track with pictures is the one that is shown. */
async function readTrack(bytes: HeadBytes, track: Box, facts: HeadFacts): Promise<void> {
  if (facts.hasSize) return
  for await (const box of boxesOf(bytes, track.at, track.end)) {
    if (box.type === 'tkhd') tellPicture(new ByteView(await bytes.read(box.at, 96)), facts)
    else if (box.type === 'mdia' && facts.hasSize) facts.movie(await framesOf(bytes, box))
  }
}

function tellPicture(tkhd: ByteView, facts: HeadFacts): void {
  const matrix = tkhd.u8(0) === 1 ? 52 : 40
  const [width, height] = [tkhd.u32(matrix + 36) >>> 16, tkhd.u32(matrix + 40) >>> 16]
  if (width === 0 || height === 0) return
  facts.size(width, height)
  const [a, b, c, d] = [0, 4, 12, 16].map(at => Math.sign(tkhd.i32(matrix + at)))
  const orientation = ORIENTATIONS.get(`${a} ${b} ${c} ${d}`)
  if (orientation !== undefined) facts.orientation(orientation)
}

async function readUserData(bytes: HeadBytes, { at, end }: Box, facts: HeadFacts): Promise<void> {
  for await (const box of boxesOf(bytes, at, end)) {
    if (box.type === 'meta') await readKeys(bytes, box, facts)
    const meaning = KEYS.get(box.type as '\xa9day')
    if (meaning === undefined) continue
    const view = new ByteView(await bytes.read(box.at, Math.min(box.end - box.at, 256)))
    tell(meaning, textFrom(view.bytes.subarray(4, 4 + view.u16(0))), facts)
  }
}

async function readKeys(bytes: HeadBytes, meta: Box, facts: HeadFacts): Promise<void> {
  const view = new ByteView(await bytes.read(meta.at, Math.min(meta.end - meta.at, TEXTS_BYTES_MAX)))
  // in QuickTime it is no full box: then the first box is at once there
  const isFull = view.latin1(4, 4) !== 'hdlr' && view.latin1(4, 4) !== 'keys'
  const boxes = boxesIn(view, isFull ? 4 : 0, view.length)
  const keys = boxes.find(({ type }) => type === 'keys')
  const ilst = boxes.find(({ type }) => type === 'ilst')
  if (ilst === undefined) return
  const names = keys === undefined ? [] : keyNames(view, keys)
  for (const item of boxesIn(view, ilst.at, ilst.end)) {
    const name = names[Buffer.from(item.type, 'latin1').readUInt32BE() - 1] ?? item.type
    const meaning = KEYS.get(name as '\xa9day')
    const data = meaning && boxesIn(view, item.at, item.end).find(({ type }) => type === 'data')
    if (meaning !== undefined && data) tell(meaning, textFrom(view.bytes.subarray(data.at + 8, data.end)), facts)
  }
}

function keyNames(view: ByteView, keys: Box): string[] {
  const names: string[] = []
  const count = Math.min(view.u32(keys.at + 4), ITEMS_MAX)
  let at = keys.at + 8
  for (let i = 0; i < count && at < keys.end; i++) {
    const length = view.u32(at)
    if (length < 8) break
    names.push(view.latin1(at + 8, Math.min(length, 256) - 8))
    at += length
  }
  return names
}

function tell(meaning: Meaning, text: string | undefined, facts: HeadFacts): void {
  if (text === undefined) return
  if (meaning === 'day') facts.date('quicktime', text)
  else if (meaning === 'live') facts.liveId(text)
  else if (meaning === 'make') facts.camera({ make: text })
  else if (meaning === 'model') facts.camera({ model: text })
  else {
    // ISO 6709: ±DD.DDDD±DDD.DDDD±AAA/
    const match = /^([+-]\d{1,2}(?:\.\d{1,12})?)([+-]\d{1,3}(?:\.\d{1,12})?)([+-]\d{1,6}(?:\.\d{1,12})?)?/.exec(text)
    if (match === null) return
    const altitude = match[3] === undefined ? undefined : Number(match[3])
    facts.place({ latitude: Number(match[1]), longitude: Number(match[2]), altitude })
  }
}

async function readCanon(bytes: HeadBytes, { at, end }: Box, facts: HeadFacts): Promise<void> {
  if ((await bytes.read(at, UUID_BYTES)).toString('hex') !== CANON_UUID) return
  for await (const box of boxesOf(bytes, at + UUID_BYTES, end)) {
    const { type, at: tiff } = box
    if (type === 'THMB') await noteBoxPreview(bytes, box, facts)
    else if (type === 'CMT1') await readTiff(bytes, tiff, facts, 'file')
    else if (type === 'CMT2') await readTiff(bytes, tiff, facts)
    else if (type === 'CMT4') await readTiff(bytes, tiff, facts, 'gps')
  }
}
