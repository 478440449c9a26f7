/*
 * Where the files of RAW formats, and blocks of EXIF, say that there is a JPEG of the picture:
 *
 *   any directory     0x201 place, 0x202 length · one strip, 0x111 place, 0x117 length, of compression 6 or 7
 *   first of RW2      0x2e: the JPEG itself
 *   maker note Nikon  'Nikon\0' · 4 bytes · a TIFF of its own, whose 0x11 is a directory with 0x201 and 0x202
 *   maker note ORF    'OLYMPUS\0II' · 2 bytes, or 'OM SYSTEM\0\0\0II' · 2 bytes: a directory, whose 0x2020 is one with 0x101 place,
 *                     0x102 length; offsets count from the note
 *
 * What is there really is looked at later (preview-places.ts).
 */
import { ByteView, type HeadBytes } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { type TiffBase, TiffDirectory, type TiffField } from './tiff-directory.js'

const TAG = { rw2Jpeg: 0x2e, compression: 0x103, stripAt: 0x111, stripBytes: 0x117, jpegAt: 0x201, jpegBytes: 0x202 }
const JPEG_COMPRESSIONS = [6, 7]

const NIKON = { preview: 0x11 }
const OLYMPUS = { settings: 0x2020, previewAt: 0x101, previewBytes: 0x102 }
/** By the text that a note begins with, where its directory is. */
const OLYMPUS_HEADS = [
  ['OLYMPUS\0II', 12],
  ['OM SYSTEM\0\0\0II', 16]
] as const

export async function notePreviews(directory: TiffDirectory, { start }: TiffBase, facts: HeadFacts): Promise<void> {
  await notePlace(directory, start, TAG.jpegAt, TAG.jpegBytes, facts)
  const compression = await directory.number(TAG.compression)
  if (JPEG_COMPRESSIONS.includes(compression ?? 0) && directory.get(TAG.stripAt)?.count === 1)
    await notePlace(directory, start, TAG.stripAt, TAG.stripBytes, facts)
}

export function noteRw2Preview(first: TiffDirectory, facts: HeadFacts): void {
  const jpeg = first.get(TAG.rw2Jpeg)
  if (jpeg !== undefined) facts.preview(jpeg.at, jpeg.bytes)
}

export async function noteMakersPreviews(bytes: HeadBytes, note: TiffField, facts: HeadFacts): Promise<void> {
  const head = (await bytes.read(note.at, 32)).toString('latin1')
  if (head.startsWith('Nikon\0')) return noteNikonPreview(bytes, note.at + 10, facts)
  const [, directoryAt] = OLYMPUS_HEADS.find(([name]) => head.startsWith(name)) ?? []
  if (directoryAt !== undefined) await noteOlympusPreview(bytes, note.at, directoryAt, facts)
}

async function noteNikonPreview(bytes: HeadBytes, start: number, facts: HeadFacts): Promise<void> {
  const head = await bytes.read(start, 8)
  const order = head.toString('latin1', 0, 2) === 'II' ? 'little' : 'big'
  const base = { start, order } as const
  const directory = await TiffDirectory.read(bytes, base, new ByteView(head, order).u32(4))
  for (const at of await directory.places(NIKON.preview, 1))
    await notePreviews(await TiffDirectory.read(bytes, base, at), base, facts)
}

async function noteOlympusPreview(bytes: HeadBytes, start: number, at: number, facts: HeadFacts): Promise<void> {
  const base = { start, order: 'little' } as const
  const directory = await TiffDirectory.read(bytes, base, at)
  for (const settingsAt of await directory.places(OLYMPUS.settings, 1)) {
    const settings = await TiffDirectory.read(bytes, base, settingsAt)
    await notePlace(settings, start, OLYMPUS.previewAt, OLYMPUS.previewBytes, facts)
  }
}

async function notePlace(
  directory: TiffDirectory,
  start: number,
  atTag: number,
  bytesTag: number,
  facts: HeadFacts
): Promise<void> {
  const [at, length] = [await directory.number(atTag), await directory.number(bytesTag)]
  if (at !== undefined && length !== undefined) facts.preview(start + at, length)
}
