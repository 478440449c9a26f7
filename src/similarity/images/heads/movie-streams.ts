import type { HeadBytes } from './head-bytes.js'
import type { HeadFormat } from './head-facts.js'

const FORMATS: readonly (readonly [format: HeadFormat, at: number, bytes: string])[] = [
  ['matroska', 0, '\x1a\x45\xdf\xa3'],
  ['avi', 8, 'AVI LIST'],
  ['asf', 0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11'],
  ['mpeg', 0, '\0\0\x01\xba']
]
/** Of a transport stream, with or without a time stamp before each packet. */
const PACKETS = [
  { bytes: 188, syncAt: 0 },
  { bytes: 192, syncAt: 4 }
]
const SYNC = 0x47

/** @returns the format of a movie that is read from its beginning, of which nothing more is known here; else undefined */
export async function formatOfStream(bytes: HeadBytes, start: Buffer): Promise<HeadFormat | undefined> {
  const known = FORMATS.find(([, at, mark]) => start.toString('latin1', at, at + mark.length) === mark)
  if (known !== undefined) return known[0]
  for (const packet of PACKETS) {
    if (start[packet.syncAt] !== SYNC) continue
    const next = await bytes.read(packet.bytes, packet.syncAt + 1)
    if (next[packet.syncAt] === SYNC) return 'mpegts'
  }
  return undefined
}
