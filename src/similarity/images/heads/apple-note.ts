/*
 * The maker note of Apple: 'Apple iOS\0' · 2 bytes · 'MM' · a directory, whose offsets count from the note. Its tag 0x11 is the identifier
 * that the video of a live photo has, too.
 */
import type { HeadBytes } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { TiffDirectory, type TiffField } from './tiff-directory.js'

const HEAD = 'Apple iOS\0'
const DIRECTORY_AT = 14
const LIVE_ID = 0x11

export async function readAppleNote(bytes: HeadBytes, note: TiffField, facts: HeadFacts): Promise<void> {
  if ((await bytes.read(note.at, HEAD.length)).toString('latin1') !== HEAD) return
  const directory = await TiffDirectory.read(bytes, { start: note.at, order: 'big' }, DIRECTORY_AT)
  facts.liveId(await directory.text(LIVE_ID))
}
