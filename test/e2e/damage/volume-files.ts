import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/*
 * Just enough of the published volume format to find a needle and hurt it; shares no code with the program under test.
 * Superblock 256 bytes, magic 'SHEAFVOL'. Needle, at multiples of 8: 'SHND', kind at 5, id at 8 (16 bytes), generation at
 * 40, chunk at 48, length at 52; header 64 bytes, data, 4 bytes per 64 KiB block and 4 more, padding to 8.
 */
const SUPERBLOCK_BYTES = 256
const HEADER_BYTES = 64
const BLOCK_BYTES = 65_536
const KINDS = ['data', 'record', 'manifest'] as const

export interface NeedleOnDisk {
  readonly file: string
  readonly kind: (typeof KINDS)[number]
  /** As a UUID: of the photo, whatever the kind. */
  readonly photoId: string
  readonly generation: number
  readonly chunk: number
  readonly offset: number
  readonly dataAt: number
  readonly footerAt: number
  /** First byte after the padding. */
  readonly end: number
}

/** @returns paths of all files below `folder`, sorted */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}

/** @returns paths of the volume files below `folder`, by their first bytes; the one written last comes last */
export function volumeFiles(folder: string): string[] {
  return filesBelow(folder)
    .filter(path => readFileSync(path).subarray(0, 8).toString('latin1') === 'SHEAFVOL')
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
}

/** @returns the needles of a volume file from its start, up to the first place where none is */
export function needlesIn(file: string): NeedleOnDisk[] {
  const bytes = readFileSync(file)
  const needles: NeedleOnDisk[] = []
  for (let offset = SUPERBLOCK_BYTES; offset + HEADER_BYTES <= bytes.length; ) {
    const kind = KINDS[(bytes[offset + 5] ?? 0) - 1]
    if (bytes.toString('latin1', offset, offset + 4) !== 'SHND' || kind === undefined) break
    const length = bytes.readUInt32LE(offset + 52)
    const dataAt = offset + HEADER_BYTES
    const footerAt = dataAt + length
    const end = Math.ceil((footerAt + 4 * Math.ceil(length / BLOCK_BYTES) + 4) / 8) * 8
    const photoId = bytes
      .toString('hex', offset + 8, offset + 24)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    const [generation, chunk] = [bytes.readUInt32LE(offset + 40), bytes.readUInt32LE(offset + 48)]
    needles.push({ file, kind, photoId, generation, chunk, offset, dataAt, footerAt, end })
    offset = end
  }
  return needles
}

/** @returns all needles below `folder` but those that a later generation of their photo, after an undelete, replaces */
export function presentNeedles(folder: string): NeedleOnDisk[] {
  const all = volumeFiles(folder).flatMap(needlesIn)
  const generations = new Map<string, number>()
  for (const { photoId, generation } of all) {
    generations.set(photoId, Math.max(generation, generations.get(photoId) ?? 0))
  }
  return all.filter(({ photoId, generation }) => generation === generations.get(photoId))
}

export function flipBit(file: string, at: number, bit = 0): void {
  const bytes = readFileSync(file)
  const byte = bytes[at]
  if (byte === undefined) throw new RangeError(`${file} has no byte ${at}`)
  bytes[at] = byte ^ (1 << bit)
  writeFileSync(file, bytes)
}
