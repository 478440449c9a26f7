import { box, jpegHead, movieOf, packetOf, xmpSegment } from './head-files.js'

/*
 * Writes pictures with a movie behind them, as telephones do.
 */

export const MOVIE = movieOf({ brand: 'mp42', seconds: 2, data: Buffer.alloc(500, 7) })

export interface ListedItem {
  readonly semantic: string
  readonly mime?: string
  readonly length: number | string
  readonly padding?: number | string
}

/** What XMP lists of the file; the picture itself is the first item. */
export function directoryOf(
  items: readonly ListedItem[],
  prefixes: readonly [string, string] = ['Container', 'Item']
): string {
  const [container, item] = prefixes
  const listed = items.map(({ semantic, mime = '', length, padding = 0 }) => {
    const properties = [`Mime="${mime}"`, `Semantic="${semantic}"`, `Length="${length}"`, `Padding="${padding}"`]
    return `<rdf:li rdf:parseType="Resource"><${container}:Item ${properties.map(one => `${item}:${one}`).join(' ')}/></rdf:li>`
  })
  return `<${container}:Directory><rdf:Seq>${listed.join('')}</rdf:Seq></${container}:Directory>`
}

const PRIMARY: ListedItem = { semantic: 'Primary', mime: 'image/jpeg', length: 0 }
export const MOTION: ListedItem = { semantic: 'MotionPhoto', mime: 'video/mp4', length: MOVIE.length }

/** A JPEG with this in its XMP, and this behind it. */
export function jpegWith(inner: string, attributes: string, ...behind: readonly Buffer[]): Buffer {
  return Buffer.concat([jpegHead(40, 30, xmpSegment(packetOf(attributes, inner))), Buffer.alloc(900, 5), ...behind])
}

/** As telephones of Google write it. */
export function motionJpeg(items: readonly ListedItem[] = [PRIMARY, MOTION], ...behind: readonly Buffer[]): Buffer {
  return jpegWith(directoryOf(items), 'GCamera:MotionPhoto="1"', ...(behind.length > 0 ? behind : [MOVIE]))
}

export interface Trailer {
  readonly type?: number
  readonly name?: string
  readonly data: Buffer
}

const little = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

/** What Samsung writes behind a picture. */
export function samsungTrailer(entries: readonly Trailer[], change: (directory: Buffer) => void = () => {}): Buffer {
  const blocks = entries.map(({ type = 0x0a30, name = 'MotionPhoto_Data', data }) =>
    Buffer.concat([little(type * 0x1_0000), little(name.length), Buffer.from(name), data])
  )
  const listed = blocks.map((block, i) => {
    const back = blocks.slice(i).reduce((sum, { length }) => sum + length, 0)
    return Buffer.concat([little((entries[i]?.type ?? 0x0a30) * 0x1_0000), little(back), little(block.length)])
  })
  const directory = Buffer.concat([Buffer.from('SEFH'), little(107), little(entries.length), ...listed])
  change(directory)
  return Buffer.concat([...blocks, directory, little(directory.length), Buffer.from('SEFT')])
}

export const mpvd = (movie: Buffer): Buffer => box('mpvd', movie)
