/*
 * A movie of one picture: ftyp · moov · mdat, as small as a demultiplexer takes it. It is not turned: whoever shows the picture
 * knows how the movie was.
 */

/** Where the picture stands in `mdat`: behind its head. */
const BOX_HEAD_BYTES = 8
const SECOND = 1_000
const UPRIGHT = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000].map(u32)

export interface OneFrame {
  /** The data of the movie's box 'stsd', and which of its entries the picture goes by. */
  readonly config: Uint8Array
  readonly configIndex: number
  readonly frame: Uint8Array
}

/** @returns the file */
export function oneFrameMovie({ config, configIndex, frame }: OneFrame): Buffer {
  const ftyp = box('ftyp', Buffer.from('isom'), u32(0), Buffer.from('isom'))
  const moovOf = (frameAt: number): Buffer => {
    const samples = box(
      'stbl',
      box('stsd', config),
      list('stts', u32(1), u32(SECOND)),
      list('stsc', u32(1), u32(1), u32(configIndex)),
      box('stsz', u32(0), u32(0), u32(1), u32(frame.length)),
      list('stco', u32(frameAt))
    )
    const info = box(
      'minf',
      box('vmhd', u32(1), u32(0), u32(0)),
      box('dinf', list('dref', box('url ', u32(1)))),
      samples
    )
    const clock = [u32(0), u32(0), u32(0)]
    const media = box(
      'mdia',
      box('mdhd', ...clock, u32(SECOND), u32(SECOND), u32(0)),
      box('hdlr', u32(0), u32(0), Buffer.from('vide'), u32(0), u32(0), u32(0), Buffer.of(0)),
      info
    )
    const track = box(
      'trak',
      box('tkhd', u32(3), u32(0), u32(0), u32(1), u32(0), u32(SECOND), Buffer.alloc(16), ...UPRIGHT, u32(0), u32(0)),
      media
    )
    const head = [...clock, u32(SECOND), u32(SECOND), u32(0x1_0000), Buffer.alloc(12), ...UPRIGHT, Buffer.alloc(24)]
    return box('moov', box('mvhd', ...head, u32(2)), track)
  }
  const frameAt = ftyp.length + moovOf(0).length + BOX_HEAD_BYTES
  return Buffer.concat([ftyp, moovOf(frameAt), box('mdat', frame)])
}

function box(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, BOX_HEAD_BYTES)
  return Buffer.concat([u32(length), Buffer.from(type, 'latin1'), ...parts])
}

/** A list of one entry. */
function list(type: string, ...entry: readonly Uint8Array[]): Buffer {
  return box(type, u32(0), u32(1), ...entry)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
