import { box, fullBox, movieOf, type Order, type TiffDirectory, tiffOf, u32 } from './head-files.js'

/*
 * RAW files as cameras lay them out: the head, pixels that nobody develops, and JPEGs of the picture.
 */

const EXIF = 0x8769
const MAKER_NOTE = 0x927c
const SUB_DIRECTORIES = 0x14a
const CANON_UUID = Buffer.from('85c0b687820f11e08111f4ce462b6a48', 'hex')
const PREVIEW_UUID = Buffer.from('eaf42b5e1c984b88b9fbb7dc406e4d16', 'hex')

const SENSOR: TiffDirectory = {
  254: { long: [0] },
  256: { long: [6_000] },
  257: { long: [4_000] },
  262: { short: [32_803] }
}

const jpegAt = (jpeg: Buffer): TiffDirectory => ({ 513: { place: jpeg }, 514: { long: [jpeg.length] } })
const stripOf = (jpeg: Buffer, compression: number): TiffDirectory => ({
  259: { short: [compression] },
  273: { place: jpeg },
  279: { long: [jpeg.length] }
})

/** @param thumbnail - a smaller one, in places of its own */
export function rawFiles(preview: Buffer, thumbnail: Buffer, order: Order): Record<string, Buffer> {
  const oriented = { 274: { short: [6] } }
  const sub = (...directories: readonly TiffDirectory[]): TiffDirectory => ({
    [SUB_DIRECTORIES]: { directories: [...directories, SENSOR] }
  })
  const note = (bytes: Buffer): TiffDirectory => ({ [EXIF]: { directories: [{ [MAKER_NOTE]: { bytes } }] } })
  const nikon = tiffOf({ 17: { directories: [jpegAt(preview)] } }, order)
  return {
    dng: tiffOf(
      {
        271: 'Google',
        50706: { bytes: Buffer.of(1, 4, 0, 0), type: 1 },
        ...oriented,
        ...sub({ 254: { long: [1] }, ...stripOf(thumbnail, 7) }, { 254: { long: [1] }, ...stripOf(preview, 7) })
      },
      order
    ),
    cr2: tiffOf({ 271: 'Canon', ...oriented, ...stripOf(preview, 6) }, order, 42, 'CR\x02\0', {
      pages: [jpegAt(thumbnail)]
    }),
    nef: tiffOf({ 271: 'NIKON CORPORATION', ...oriented, ...sub(jpegAt(preview)) }, order),
    'nef, by the note of its maker': tiffOf(
      {
        271: 'NIKON CORPORATION',
        ...oriented,
        ...sub(),
        ...note(Buffer.concat([Buffer.from('Nikon\0\x02\x10\0\0', 'latin1'), nikon]))
      },
      order
    ),
    arw: tiffOf({ 271: 'SONY', ...oriented, ...jpegAt(preview), ...sub() }, order, 42, '', {
      pages: [jpegAt(thumbnail)]
    }),
    pef: tiffOf({ 271: 'PENTAX', ...oriented, ...sub() }, order, 42, '', {
      pages: [jpegAt(thumbnail), jpegAt(preview)]
    }),
    srw: tiffOf({ 271: 'SAMSUNG', ...oriented, ...sub(jpegAt(preview)) }, order),
    raw: tiffOf({ 271: 'Hasselblad', ...oriented, ...sub(jpegAt(preview)) }, order),
    rw2: tiffOf({ 46: { bytes: preview }, 271: 'Panasonic', ...oriented }, order, 0x55),
    orf: tiffOf({ 271: 'OLYMPUS', ...oriented, ...note(olympusNote('OLYMPUS\0II\x03\0', preview)) }, order, 0x4f52),
    'orf, as made later': tiffOf(
      { 271: 'OM Digital Solutions', ...oriented, ...note(olympusNote('OM SYSTEM\0\0\0II\x03\0', preview)) },
      order,
      0x4f52
    ),
    raf: rafOf(preview),
    cr3: cr3Of({ picture: preview, thumbnail }),
    'cr3, by its preview': cr3Of({ preview, thumbnail })
  }
}

function olympusNote(head: string, jpeg: Buffer): Buffer {
  const settings = { 257: { place: jpeg }, 258: { long: [jpeg.length] } }
  const note = tiffOf({ 8224: { directories: [settings] } }, 'II', 42, '', { headBytes: head.length })
  note.write(head, 'latin1')
  return note
}

function rafOf(jpeg: Buffer): Buffer {
  const head = Buffer.alloc(100)
  head.write('FUJIFILMCCD-RAW ')
  head.writeUInt32BE(100, 84)
  head.writeUInt32BE(jpeg.length, 88)
  return Buffer.concat([head, jpeg])
}

interface Cr3Parts {
  /** In full size, as the first track has it. */
  readonly picture?: Buffer
  readonly preview?: Buffer
  readonly thumbnail: Buffer
}

function cr3Of({ picture, preview, thumbnail }: Cr3Parts): Buffer {
  const orientation = tiffOf({ 256: { short: [6_000] }, 257: { short: [4_000] }, 274: { short: [6] } })
  const canon = box('uuid', CANON_UUID, box('CMT1', orientation), box('THMB', Buffer.alloc(16), thumbnail))
  const behind =
    preview === undefined
      ? []
      : [box('uuid', PREVIEW_UUID, Buffer.alloc(8), box('PRVW', Buffer.alloc(16), preview, Buffer.alloc(3)))]
  const fileOf = (at: number): Buffer => {
    const sizes = fullBox('stsz', 0, u32(picture?.length ?? 0), u32(1))
    const places = fullBox('co64', 0, u32(1), u32(0), u32(at))
    const track = box('trak', box('mdia', box('minf', box('stbl', sizes, places))))
    const more = picture === undefined ? [canon] : [canon, track]
    return Buffer.concat([movieOf({ brand: 'crx ', first: more, data: Buffer.alloc(0) }), ...behind])
  }
  const head = fileOf(0)
  return picture === undefined ? head : Buffer.concat([fileOf(head.length + 8), box('mdat', picture)])
}
