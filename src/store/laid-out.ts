/*
 * The file of what was laid out: frames, one behind the other, each
 *
 *   bytes  field
 *       4  length of the entry, little-endian
 *       4  CRC-32 of the entry, little-endian
 *       …  canonical CBOR map: record (bytes, see record-codec.ts), generation, from (text), at (the node's age, ms),
 *          died (ms since the Unix epoch), alarming (boolean)
 *
 * What follows the last whole frame was not acknowledged, and is overwritten. The file is replaced when entries go.
 */
import { crc32 } from '@node-rs/crc32'
import type { Clock } from '../core/clock.js'
import { SheafError, systemErrorCode } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import { turn } from '../core/turn.js'
import type { Doomed, GraveGuard } from '../directory/directory.js'
import { CborReader } from '../domain/cbor-reader.js'
import { encodeValue } from '../domain/cbor-writer.js'
import { type DirectoryRecord, type RecordKey, recordName, shownVersion } from '../domain/record.js'
import { decodeRecord, encodeRecord, opaqueRecordOf } from '../domain/record-codec.js'
import { endedLife } from '../domain/tombstone.js'
import { integerOf, mapOf, textOf } from '../domain/value-fields.js'

const FRAME_HEAD_BYTES = 8
const DAY_MS = 24 * 3_600_000
/** What graves may end here in a day, on a node that has kept up with the others, before it is an alarm. */
const ALARM_COUNT = 1_000
const ALARM_SHARE = 0.02
/** What goes at once when the disk is full. */
const ROOM_RECORDS = 256
/** Entries that are encoded without a pause. */
const SLICE = 256

/** A record that a grave ended here although it lived, or could still be undone. */
export interface LaidOutRecord {
  readonly key: RecordKey
  /** The record as it was, encoded. */
  readonly bytes: Uint8Array
  /** The life up to which the grave has ended all. */
  readonly generation: number
  /** The node that sent the grave or wrote the volume in which it stood; empty: unknown. */
  readonly from: string
  /** The node's age then, ms. */
  readonly at: number
  /** When that was, ms since the Unix epoch. */
  readonly diedAtMs: number
  /** It lived, and this node had kept up with the others: that does not happen unless somebody buries wrongly. */
  readonly isAlarming: boolean
}

export interface LaidOutComponents {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly log: Logger
  /** The node's age, ms. */
  readonly age: () => number
  /** The age at which the directory was last compared with a peer's as a whole; undefined if it never was. */
  readonly roundAt: () => number | undefined
  /** How long a delete may be undone, ms. */
  readonly undoMs: () => number
  /** Photos that live here; undefined while that cannot be told. */
  readonly photos: () => number | undefined
  /** Whether this node wrote the volume: what it buries itself, it has let lie for its time. */
  readonly isOwn: (from: NonNullable<Doomed['from']>) => boolean
  /** @returns the node that `from` names, or that wrote the volume */
  readonly nameOf: (from: NonNullable<Doomed['from']>) => string
}

/**
 * What graves have ended here before its time. A grave cannot be undone where its writer is wrong; so a node that had a
 * record alive, or a tombstone whose undo period has not run here, keeps the record and its needles for another undo period,
 * shows them, and lets an operator bring them back. In normal operation that is nothing: each node sees the tombstone long
 * before the grave.
 */
export class LaidOut implements GraveGuard {
  readonly #components: LaidOutComponents
  readonly #path: string
  readonly #records = new Map<string, LaidOutRecord>()
  readonly #listeners: ((keys: readonly RecordKey[]) => void)[] = []
  #isNew = false
  /** Entries that are not in the file yet. */
  #unsaved: LaidOutRecord[] = []
  #fileBytes = 0
  /** The file holds entries that are gone. */
  #isOutdated = false
  /** Settles when the file has been written: one write comes after the other. */
  #written: Promise<void> = Promise.resolve()

  constructor(components: LaidOutComponents, path: string) {
    this.#components = components
    this.#path = path
  }

  /** Before the directory is filled, and once the node's age is known. */
  async load(): Promise<void> {
    const { fileSystem, log, age } = this.#components
    const bytes = await fileSystem.readFile(this.#path)
    if (bytes === undefined) return
    const { entries, validBytes } = decodeEntries(bytes)
    const now = age()
    for (const entry of entries) {
      // the age was lost with the directory: it would be kept until the node is as old again
      if (entry.at > now) this.#isOutdated = true
      this.#records.set(recordName(entry.key), { ...entry, at: Math.min(entry.at, now) })
    }
    this.#fileBytes = validBytes
    if (validBytes < bytes.length)
      log.warn(
        { path: this.#path, bytes: bytes.length - validBytes },
        'ignoring an incomplete entry of what was laid out'
      )
  }

  /** @param isEmpty - whether nothing is in the directory once the log has been replayed */
  began(isEmpty: boolean): void {
    this.#isNew = isEmpty
  }

  /**
   * Nothing was here when the process began: until it has seen what the others have, or a client has written here, all that
   * it meets is old news, and nothing is laid out.
   */
  get isNew(): boolean {
    return this.#isNew
  }

  /** To be called when the directory has been compared with a peer's as a whole, and when a client has written a photo. */
  settleIn(): void {
    this.#isNew = false
  }

  get size(): number {
    return this.#records.size
  }

  /** Whether needles of that life are kept. */
  holds(key: RecordKey, generation: number): boolean {
    const entry = this.#records.get(recordName(key))
    return entry !== undefined && generation <= entry.generation
  }

  get(key: RecordKey): LaidOutRecord | undefined {
    return this.#records.get(recordName(key))
  }

  list(): readonly LaidOutRecord[] {
    return [...this.#records.values()]
  }

  /** Whether graves have ended so much here that nothing of it is let go before an operator has looked. */
  get isAlarming(): boolean {
    const ages = this.list().flatMap(({ isAlarming, at }) => (isAlarming ? [at] : []))
    const photos = this.#components.photos() ?? Number.POSITIVE_INFINITY
    const max = Math.min(ALARM_COUNT, ALARM_SHARE * (photos + ages.length))
    ages.sort((a, b) => a - b)
    let first = 0
    return ages.some((at, i) => {
      while (at - (ages[first] as number) > DAY_MS) first++
      return i - first + 1 > max
    })
  }

  /** Calls the listener with what is no longer kept. */
  onReleased(listener: (keys: readonly RecordKey[]) => void): void {
    this.#listeners.push(listener)
  }

  isUndoable(heardAt: number): boolean {
    return this.#components.age() - heardAt < this.#components.undoMs()
  }

  /** @returns for how long an entry is still kept unless there is an alarm, ms */
  keptForMs({ at }: LaidOutRecord): number {
    const { age, undoMs } = this.#components
    return Math.max(0, at + undoMs() - age())
  }

  async layOut(doomed: readonly Doomed[]): Promise<void> {
    const { clock, age, undoMs, roundAt, isOwn, nameOf, log } = this.#components
    const foreign = doomed.filter(({ from }) => from === undefined || !isOwn(from))
    if (this.#isNew || foreign.length === 0) return
    const at = age()
    const round = roundAt()
    const keptUp = round !== undefined && at - round <= undoMs()
    for (const { record, generation, from } of foreign) {
      const entry = {
        key: { kind: record.kind, id: record.id },
        bytes: encodeRecord(record),
        generation,
        from: from === undefined ? '' : nameOf(from),
        at,
        diedAtMs: clock.now(),
        isAlarming: keptUp && endedLife(record) === undefined
      }
      this.#records.set(recordName(entry.key), entry)
      this.#unsaved.push(entry)
    }
    await this.#save()
    const fields = { records: foreign.length, from: foreign[0]?.from, first: foreign[0]?.record.id }
    log.warn(fields, 'graves have ended what lived here, or could still be undone; it is laid out: see sheaf laid-out')
    if (keptUp && this.isAlarming)
      log.error({ records: this.size }, 'graves end too much here: nothing of it goes before it is released')
  }

  /** Lets go of what was laid out for a whole undo period; of nothing while that is too much. */
  async expire(): Promise<void> {
    if (this.#unsaved.length > 0) await this.#save()
    if (this.#isOutdated) await this.#rewrite()
    if (this.#records.size === 0 || this.isAlarming) return
    await this.release(({ at }) => !this.isUndoable(at))
  }

  /**
   * Lets go of the oldest before its time: the disk is full, and nothing else is left that could go. Of nothing that came
   * lately, and of nothing while graves end too much.
   *
   * @param graceMs - what came lately
   * @returns the records that are no longer kept
   * @throws as `release`
   */
  async makeRoom(graceMs: number): Promise<readonly RecordKey[]> {
    if (this.isAlarming) return []
    const latest = this.#components.age() - graceMs
    const old = this.list().filter(({ at }) => at <= latest)
    const chosen = new Set(old.sort((a, b) => a.at - b.at).slice(0, ROOM_RECORDS))
    const records = await this.release(entry => chosen.has(entry))
    if (records > 0)
      this.#components.log.warn({ records }, 'the disk is full: what was laid out longest ago is not kept any longer')
    return Array.from(chosen, ({ key }) => key)
  }

  /** To be called with what records show: one in a life behind the grave was brought back, here or elsewhere. */
  noteShown(record: DirectoryRecord): void {
    const entry = this.#records.get(recordName(record))
    if (entry === undefined || shownVersion(record).generation <= entry.generation) return
    this.#records.delete(recordName(record))
    this.#isOutdated = true
  }

  /**
   * Lets go of what is chosen: its needles are dead.
   *
   * @returns how many records that are
   * @throws the disk's error, as `ERR_DISK_WRITE`: until that goes again, it would be back after a restart
   */
  async release(choose: (entry: LaidOutRecord) => boolean): Promise<number> {
    const gone = this.list().filter(choose)
    if (gone.length === 0) return 0
    const keys = gone.map(({ key }) => key)
    for (const key of keys) this.#records.delete(recordName(key))
    this.#isOutdated = true
    for (const listener of this.#listeners) listener(keys)
    await this.#rewrite()
    return keys.length
  }

  /** Appends what is not in the file yet. If the disk refuses, it stays in memory, and is tried again. */
  #save(): Promise<void> {
    return this.#exclusively(async () => {
      const { fileSystem, log } = this.#components
      const unsaved = this.#takeUnsaved()
      if (unsaved.length === 0) return
      const bytes = Buffer.concat(unsaved.map(encodeEntry))
      try {
        if (this.#fileBytes === 0) await fileSystem.writeFileAtomic(this.#path, bytes)
        else await this.#append(bytes)
        this.#fileBytes += bytes.length
      } catch (err) {
        this.#unsaved.unshift(...unsaved)
        log.error({ err, path: this.#path }, 'what was laid out is in memory only; it is written again later')
      }
    })
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const file = await this.#components.fileSystem.open(this.#path, 'write')
    try {
      const written = await file.write([bytes], this.#fileBytes)
      if (written !== bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written`)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  #rewrite(): Promise<void> {
    return this.#exclusively(async () => {
      const { fileSystem } = this.#components
      const unsaved = this.#takeUnsaved()
      this.#isOutdated = false // what goes from now on may be written still
      try {
        const bytes = await encodeEntries(this.list())
        await fileSystem.writeFileAtomic(this.#path, bytes)
        this.#fileBytes = bytes.length
      } catch (cause) {
        this.#isOutdated = true
        this.#unsaved.unshift(...unsaved)
        const full = systemErrorCode(cause) === 'ENOSPC'
        throw new SheafError(full ? 'ERR_DISK_FULL' : 'ERR_DISK_WRITE', undefined, {
          cause,
          details: { path: this.#path }
        })
      }
    })
  }

  /** @returns what is not in the file yet, without what was let go since */
  #takeUnsaved(): LaidOutRecord[] {
    const unsaved = this.#unsaved.filter(entry => this.#records.get(recordName(entry.key)) === entry)
    this.#unsaved = []
    return unsaved
  }

  #exclusively(write: () => Promise<void>): Promise<void> {
    const done = this.#written.then(write)
    this.#written = done.catch(() => {})
    return done
  }
}

async function encodeEntries(entries: readonly LaidOutRecord[]): Promise<Uint8Array> {
  const frames: Uint8Array[] = []
  for (const entry of entries) {
    if (frames.length % SLICE === SLICE - 1) await turn()
    frames.push(encodeEntry(entry))
  }
  return Buffer.concat(frames)
}

function encodeEntry({ bytes, generation, from, at, diedAtMs, isAlarming }: LaidOutRecord): Uint8Array {
  const entry = encodeValue(mapOf({ record: bytes, generation, from, at, died: diedAtMs, alarming: isAlarming }))
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32LE(entry.length)
  head.writeUInt32LE(crc32(entry), 4)
  return Buffer.concat([head, entry])
}

/** @returns the entries of all whole frames, and where the last one ends */
function decodeEntries(file: Uint8Array): { readonly entries: LaidOutRecord[]; readonly validBytes: number } {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const entries: LaidOutRecord[] = []
  let validBytes = 0
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length; ) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUInt32LE(at)
    const frame = bytes.subarray(at + FRAME_HEAD_BYTES, end)
    // zeros are what a crash may leave where an entry was to be, and their checksum is right
    if (frame.length === 0 || end > bytes.length) break
    const isWhole = crc32(frame) === bytes.readUInt32LE(at + 4)
    at = end
    if (!isWhole) continue // damage to one entry does not end the others
    validBytes = end
    const entry = entryIn(frame)
    if (entry !== undefined) entries.push(entry)
  }
  return { entries, validBytes }
}

/** @returns undefined for what this version did not write */
function entryIn(frame: Uint8Array): LaidOutRecord | undefined {
  const fields = new CborReader(frame).map()
  const bytes = fields.get('record')
  const [generation, at] = [integerOf(fields, 'generation'), integerOf(fields, 'at')]
  if (!(bytes instanceof Uint8Array) || generation === undefined || at === undefined) return undefined
  const { kind, id } = opaqueRecordOf(bytes) ?? decodeRecord(bytes)
  return {
    key: { kind, id },
    bytes,
    generation,
    from: textOf(fields, 'from') ?? '',
    at,
    diedAtMs: integerOf(fields, 'died') ?? 0,
    isAlarming: fields.get('alarming') === true
  }
}
