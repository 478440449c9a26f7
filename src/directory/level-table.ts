import { DamageError } from './damage.js'
import { checksumHolds, LevelReader } from './level-bytes.js'

/*
 * A table file of LevelDB, written without compression.
 *
 *   data blocks · filter block · meta index block · index block · footer
 *
 *   block    entries · restarts, 4 each · 4 number of restarts, then its trailer: 1 type, 0 · 4 checksum of block and type
 *   entry    varint shared · varint unshared · varint length · unshared bytes of the key · value
 *   handle   varint offset · varint size of a block without its trailer; the values in both indexes
 *   footer   48 bytes: handles of meta index and index · padding · 8 magic
 *
 * LevelDB does not verify the trailers when it reads, and a flipped bit in a block can make it abort the whole process. So
 * they are verified before LevelDB opens the file: if both indexes and all blocks that they name are intact, LevelDB reads
 * no damaged block.
 */
const TRAILER_BYTES = 5
const FOOTER_BYTES = 48
const MAGIC = 0xdb4775248b80fb57n

interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/** @throws {@link DamageError} unless every block that LevelDB would read is intact */
export function checkTable(table: Buffer): void {
  const footerAt = table.length - FOOTER_BYTES
  if (footerAt < 0 || table.readBigUInt64LE(table.length - 8) !== MAGIC) throw new DamageError('a table has no footer')
  const footer = new LevelReader(table.subarray(footerAt))
  const metaIndex = readHandle(footer)
  const index = readHandle(footer)
  const blocks = [...handlesIn(readBlock(table, metaIndex)), ...handlesIn(readBlock(table, index))]
  for (const handle of blocks) readBlock(table, handle)
}

function readHandle(reader: LevelReader): BlockHandle {
  return { offset: reader.varint(), size: reader.varint() }
}

function readBlock(table: Buffer, { offset, size }: BlockHandle): Buffer {
  const end = offset + size
  if (end + TRAILER_BYTES > table.length) throw new DamageError('a block reaches beyond its table')
  if (!checksumHolds(table, end + 1, table.subarray(offset, end + 1))) throw new DamageError('a block is damaged')
  if (table[end] !== 0) throw new DamageError('a block has an unknown type')
  return table.subarray(offset, end)
}

function handlesIn(indexBlock: Buffer): BlockHandle[] {
  const restarts = indexBlock.readUInt32LE(indexBlock.length - 4)
  const entries = new LevelReader(indexBlock.subarray(0, indexBlock.length - 4 - 4 * restarts))
  const handles: BlockHandle[] = []
  while (!entries.ended) {
    entries.varint()
    const keyBytes = entries.varint()
    const valueBytes = entries.varint()
    entries.bytes(keyBytes)
    handles.push(readHandle(new LevelReader(entries.bytes(valueBytes))))
  }
  return handles
}
