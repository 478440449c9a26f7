import type { Database } from '../../../src/directory/database.js'
import {
  openSealed,
  recordKeyFrom,
  recordRange,
  TABLE_BUCKET,
  TABLE_COUNTER,
  TABLE_LEAF,
  TABLE_TERM,
  tableRange
} from '../../../src/directory/keys.js'
import { leafFrom } from '../../../src/directory/leaf-rows.js'
import { recordStateOf } from '../../../src/directory/stored-record.js'
import { bucketOf, leafDigest, MerkleTree } from '../../../src/domain/merkle.js'
import { viewPhoto } from '../../../src/domain/photo.js'
import { type DirectoryRecord, isGrave, mergeRecords } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
import { termsOf } from '../../../src/domain/terms.js'

/** The expected contents of a directory, in a form that is readable in a failed comparison. */
export interface DirectoryContents {
  /** kind id → hex of the merged record's canonical bytes */
  readonly records: Record<string, string>
  /** kind id → hex of the leaf; or, of a record of which only the grave is left, `grave` and its generation */
  readonly leaves: Record<string, string>
  /** bucket → hex, zero ones left out */
  readonly buckets: Record<string, string>
  readonly root: string
  /** term, birth and id of every index row, sorted */
  readonly index: readonly string[]
  /** term → photos */
  readonly counters: Record<string, number>
}

const COUNTED = /^(all$|tag\0|album\0|type\0)/
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** @returns the contents derived from the records alone, without rows, batches or differences */
export function modelOf(written: Iterable<DirectoryRecord>): DirectoryContents {
  const merged = new Map<string, DirectoryRecord>()
  for (const record of written) {
    const name = `${record.kind} ${record.id}`
    const known = merged.get(name)
    merged.set(name, known === undefined ? record : mergeRecords(known, record))
  }
  const tree = new MerkleTree()
  const contents = { records: {}, leaves: {}, buckets: {}, root: '', index: [] as string[], counters: {} } as {
    -readonly [K in keyof DirectoryContents]: DirectoryContents[K] extends Record<string, infer V>
      ? Record<string, V>
      : DirectoryContents[K]
  } & { index: string[] }
  for (const [name, record] of merged) {
    const bytes = encodeRecord(record)
    const leaf = leafDigest(record, bytes)
    tree.toggle(bucketOf(record), leaf)
    if (isGrave(record)) {
      contents.leaves[name] = `grave ${(record.buried ?? 0) - 1}`
      continue
    }
    contents.records[name] = hex(bytes)
    contents.leaves[name] = hex(leaf)
    for (const term of termsOf(record)) {
      contents.index.push(`${term} @${viewPhoto(record).createdAt} ${record.id}`)
      if (COUNTED.test(term)) contents.counters[term] = (contents.counters[term] ?? 0) + 1
    }
  }
  for (const record of merged.values()) contents.buckets[bucketOf(record)] = hex(tree.bucket(bucketOf(record)))
  contents.root = tree.rootHex()
  contents.index.sort()
  return contents
}

/** @returns the contents of the rows; the caller adds `root` from memory */
export async function rowsOf(database: Database): Promise<Omit<DirectoryContents, 'root'>> {
  const records: Record<string, string> = {}
  const leaves: Record<string, string> = {}
  const buckets: Record<string, string> = {}
  const counters: Record<string, number> = {}
  const index: string[] = []
  const rows = (table: number): Promise<[Uint8Array, Uint8Array][]> => database.iterator(tableRange(table)).all()
  for (const [key, value] of await database.iterator(recordRange()).all()) {
    const { record, bytes } = recordStateOf(key, value)
    records[`${record.kind} ${record.id}`] = hex(bytes)
  }
  for (const [key, value] of await rows(TABLE_LEAF)) {
    const { kind, id } = recordKeyFrom(key)
    const { digest, grave } = leafFrom(key, value)
    leaves[`${kind} ${id}`] = grave === undefined ? hex(digest) : `grave ${grave.generation}`
  }
  for (const [key, value] of await rows(TABLE_BUCKET)) {
    buckets[Buffer.from(key).readUInt16BE(1)] = hex(openSealed(key, value))
  }
  for (const [key, value] of await rows(TABLE_COUNTER)) {
    counters[Buffer.from(key.subarray(1)).toString()] = Number(openSealed(key, value).readBigUInt64BE(0))
  }
  for (const [key] of await rows(TABLE_TERM)) {
    const bytes = Buffer.from(key)
    const term = bytes.toString('utf8', 1, bytes.length - 26).replaceAll('\0\x01', '\0')
    const id = hex(bytes.subarray(-16)).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    index.push(`${term} @${bytes.readBigUInt64BE(bytes.length - 24)} ${id}`)
  }
  return { records, leaves, buckets, index: index.sort(), counters }
}
