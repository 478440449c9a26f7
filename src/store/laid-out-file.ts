/*
 * The file of what was laid out: frames, one behind the other, each
 *
 *   bytes  field
 *       4  length of the entry, little-endian, at most FRAME_BYTES_MAX
 *       4  CRC-32 of the entry, little-endian
 *       …  canonical CBOR map, of one of two forms:
 *          record (bytes, see record-codec.ts), generation, from (text), at (the node's age, ms), died (ms since the Unix
 *          epoch), alarming (boolean)
 *          gone (list of texts: names of records, see `recordName`): what stands of them before is kept no longer
 *
 * What follows the last whole frame was not acknowledged, and is overwritten. The file is written anew when most of it is of
 * no use any more.
 */
import { dirname } from 'node:path'
import { crc32 } from '@node-rs/crc32'
import { systemErrorCode } from '../core/errors.js'
import type { File, FileSystem } from '../core/file-system.js'
import type { Value } from '../domain/cbor.js'
import { CborReader } from '../domain/cbor-reader.js'
import { encodeValue } from '../domain/cbor-writer.js'
import { integerOf, mapOf, textOf } from '../domain/value-fields.js'
import { writeWhole } from '../volumes/durable-write.js'

const HEAD_BYTES = 8
/** More than any record has. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024
/** Read or written at once. */
const WINDOW_BYTES = 256 * 1024

/** Where a frame stands in the file. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/** What a frame says that is laid out. */
export interface LaidOutEntry {
  /** The record as it was, encoded. */
  readonly record: Uint8Array
  readonly generation: number
  readonly from: string
  readonly at: number
  readonly diedAtMs: number
  readonly isAlarming: boolean
}

export type LaidOutFrame = { readonly entry: LaidOutEntry } | { readonly gone: readonly string[] }

/** Calls must not overlap. All throw the disk's errors. */
export class LaidOutFile {
  readonly #fileSystem: FileSystem
  readonly #path: string
  #end = 0

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.#path = path
  }

  get path(): string {
    return this.#path
  }

  get byteCount(): number {
    return this.#end
  }

  /**
   * Reads all frames. Damage to one does not end the others; what this version did not write is passed over.
   *
   * @returns bytes behind the last whole frame
   */
  async load(take: (frame: LaidOutFrame, span: Span) => void): Promise<number> {
    const file = await this.#open()
    if (file === undefined) return 0
    try {
      const byteCount = await file.size()
      for await (const { offset, body, isSound } of framesIn(file, byteCount)) {
        if (!isSound) continue
        const length = HEAD_BYTES + body.length
        this.#end = offset + length
        const frame = frameFrom(body)
        if (frame !== undefined) take(frame, { offset, length })
      }
      return byteCount - this.#end
    } finally {
      await file.close()
    }
  }

  /** @returns what stands there; undefined when it is damaged */
  async read({ offset, length }: Span): Promise<LaidOutEntry | undefined> {
    const file = await this.#fileSystem.open(this.#path, 'read')
    try {
      const bytes = Buffer.alloc(length)
      await file.read(bytes, offset)
      const body = bytes.subarray(HEAD_BYTES)
      if (crc32(body) !== bytes.readUInt32LE(4)) return undefined
      const frame = frameFrom(body)
      return frame !== undefined && 'entry' in frame ? frame.entry : undefined
    } finally {
      await file.close()
    }
  }

  /** Appends frames, durably. @returns where each stands */
  async append(frames: readonly Uint8Array[]): Promise<Span[]> {
    const bytes = Buffer.concat(frames)
    if (this.#end === 0) await this.#fileSystem.writeFileAtomic(this.#path, bytes)
    else await this.#write('write', this.#path, file => writeWhole(file, [bytes], this.#end))
    const spans = placed(frames, this.#end)
    this.#end += bytes.length
    return spans
  }

  /** Leaves these frames in the file and no others, in this order. @returns where each stands then */
  async keep(spans: readonly Span[]): Promise<Span[]> {
    if (spans.length === 0) {
      await this.#fileSystem.remove(this.#path)
      this.#end = 0
      return []
    }
    const temporary = `${this.#path}.tmp`
    await this.#fileSystem.remove(temporary)
    const from = await this.#fileSystem.open(this.#path, 'read')
    let end = 0
    try {
      await this.#write('create', temporary, async to => {
        for (const { offset, length } of runsOf(spans)) {
          const bytes = Buffer.alloc(length)
          await from.read(bytes, offset)
          await writeWhole(to, [bytes], end)
          end += length
        }
      })
    } catch (err) {
      await this.#fileSystem.remove(temporary)
      throw err
    } finally {
      await from.close()
    }
    await this.#fileSystem.rename(temporary, this.#path)
    await this.#fileSystem.syncDirectory(dirname(this.#path))
    this.#end = end
    return placed(spans, 0)
  }

  async #open(): Promise<File | undefined> {
    try {
      return await this.#fileSystem.open(this.#path, 'read')
    } catch (err) {
      if (systemErrorCode(err) === 'ENOENT') return undefined
      throw err
    }
  }

  async #write(mode: 'write' | 'create', path: string, work: (file: File) => Promise<void>): Promise<void> {
    const file = await this.#fileSystem.open(path, mode)
    try {
      await work(file)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

export function encodeFrame(frame: LaidOutFrame): Uint8Array {
  const body = encodeValue('gone' in frame ? new Map([['gone', [...frame.gone]]]) : fieldsOf(frame.entry))
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32LE(body.length)
  head.writeUInt32LE(crc32(body), 4)
  return Buffer.concat([head, body])
}

function fieldsOf({ record, generation, from, at, diedAtMs, isAlarming }: LaidOutEntry): Value {
  return mapOf({ record, generation, from, at, died: diedAtMs, alarming: isAlarming })
}

/** @returns undefined for what this version did not write */
function frameFrom(body: Uint8Array): LaidOutFrame | undefined {
  const fields = new CborReader(body).map()
  const gone = fields.get('gone')
  if (Array.isArray(gone)) return { gone: gone.filter(name => typeof name === 'string') }
  const record = fields.get('record')
  const [generation, at] = [integerOf(fields, 'generation'), integerOf(fields, 'at')]
  if (!(record instanceof Uint8Array) || generation === undefined || at === undefined) return undefined
  return {
    entry: {
      record,
      generation,
      from: textOf(fields, 'from') ?? '',
      at,
      diedAtMs: integerOf(fields, 'died') ?? 0,
      isAlarming: fields.get('alarming') === true
    }
  }
}

/** Yields frames until one is not whole, or cannot be one. */
async function* framesIn(
  file: File,
  byteCount: number
): AsyncGenerator<{ readonly offset: number; readonly body: Uint8Array; readonly isSound: boolean }> {
  for (let offset = 0; offset + HEAD_BYTES <= byteCount; ) {
    let window = await readAt(file, offset, Math.min(WINDOW_BYTES, byteCount - offset))
    const first = window.readUInt32LE()
    // zeros are what a crash may leave where an entry was to be, and their checksum is right
    if (first === 0 || first > FRAME_BYTES_MAX || offset + HEAD_BYTES + first > byteCount) return
    if (HEAD_BYTES + first > window.length) window = await readAt(file, offset, HEAD_BYTES + first)
    let at = 0
    while (at + HEAD_BYTES <= window.length) {
      const end = at + HEAD_BYTES + window.readUInt32LE(at)
      if (end === at + HEAD_BYTES || end > window.length) break
      const body = window.subarray(at + HEAD_BYTES, end)
      yield { offset: offset + at, body, isSound: crc32(body) === window.readUInt32LE(at + 4) }
      at = end
    }
    offset += at
  }
}

async function readAt(file: File, offset: number, byteCount: number): Promise<Buffer> {
  const bytes = Buffer.alloc(byteCount)
  return bytes.subarray(0, await file.read(bytes, offset))
}

/** Yields spans that follow one another as one, as long as that is not large. */
function* runsOf(spans: readonly Span[]): Generator<Span> {
  let run: Span | undefined
  for (const span of spans) {
    const continues = run !== undefined && span.offset === run.offset + run.length
    if (run !== undefined && continues && run.length + span.length <= WINDOW_BYTES) {
      run = { offset: run.offset, length: run.length + span.length }
      continue
    }
    if (run !== undefined) yield run
    run = span
  }
  if (run !== undefined) yield run
}

/** @returns where frames of these lengths stand from `start` on */
function placed(frames: readonly { readonly length: number }[], start: number): Span[] {
  let offset = start
  return frames.map(({ length }) => {
    const span = { offset, length }
    offset += length
    return span
  })
}
