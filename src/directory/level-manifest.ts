import { DamageError } from './damage.js'
import { checksumHolds, LevelReader } from './level-bytes.js'

/*
 * LevelDB's manifest: a log of edits that lists the table files of the database.
 *
 *   block    32 KiB of records; fewer than 7 bytes at its end are padding
 *   record   4 checksum of type and data · 2 length, little-endian · 1 type · data
 *   type     1 a whole edit · 2 its first part · 3 a middle part · 4 its last part
 *   edit     fields, each a varint tag and varints or texts (varint length · bytes) as below
 */
const LOG_BLOCK_BYTES = 32_768
const RECORD_HEADER_BYTES = 7
const PART_FIRST = 2
const PART_MIDDLE = 3

/** What follows each tag: v a varint, t a text. */
const EDIT_FIELDS: Readonly<Record<number, string>> = {
  1: 't', // comparator
  2: 'v', // log number
  3: 'v', // next file number
  4: 'v', // last sequence
  5: 'vt', // compaction pointer: level, key
  6: 'vv', // deleted file: level, number
  7: 'vvvtt', // new file: level, number, size, smallest key, largest key
  9: 'v' // previous log number
}
const DELETED_FILE = 6
const NEW_FILE = 7

/**
 * @returns file numbers of the tables that belong to the database
 * @throws {@link DamageError}
 */
export function liveTables(manifest: Buffer): Set<number> {
  const tables = new Set<number>()
  for (const edit of edits(manifest)) {
    const reader = new LevelReader(edit)
    while (!reader.ended) {
      const tag = reader.varint()
      const fields = EDIT_FIELDS[tag]
      if (fields === undefined) throw new DamageError('the manifest has an unknown field')
      const numbers: number[] = []
      for (const field of fields) {
        if (field === 'v') numbers.push(reader.varint())
        else reader.bytes(reader.varint())
      }
      if (tag === NEW_FILE) tables.add(numbers[1] ?? 0)
      if (tag === DELETED_FILE) tables.delete(numbers[1] ?? 0)
    }
  }
  return tables
}

/** Yields all edits. A truncated one at the end was being written when the process died; LevelDB ignores it as well. */
function* edits(manifest: Buffer): Generator<Buffer> {
  let parts: Buffer[] = []
  for (let at = 0; at + RECORD_HEADER_BYTES <= manifest.length; ) {
    const left = LOG_BLOCK_BYTES - (at % LOG_BLOCK_BYTES)
    if (left < RECORD_HEADER_BYTES) {
      at += left
      continue
    }
    const end = at + RECORD_HEADER_BYTES + manifest.readUInt16LE(at + 4)
    if (end > manifest.length) return
    if (!checksumHolds(manifest, at, manifest.subarray(at + 6, end))) throw new DamageError('the manifest is damaged')
    parts.push(manifest.subarray(at + RECORD_HEADER_BYTES, end))
    const type = manifest[at + 6]
    at = end
    if (type === PART_FIRST || type === PART_MIDDLE) continue
    yield Buffer.concat(parts)
    parts = []
  }
}
