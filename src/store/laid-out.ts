import type { Clock } from '../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../core/errors.js'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import type { Doomed, GraveGuard } from '../directory/directory.js'
import type { Death } from '../directory/keys.js'
import { type DirectoryRecord, type RecordKey, recordName, shownVersion } from '../domain/record.js'
import { decodeRecord, encodeRecord, opaqueRecordOf } from '../domain/record-codec.js'
import { endedLife, isExhumable, undoPeriodMs } from '../domain/tombstone.js'
import { encodeFrame, type LaidOutEntry, LaidOutFile, type Span } from './laid-out-file.js'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 3_600_000
/** What graves may end here in a day, on a node that has kept up with the others, before it is an alarm. */
const ALARM_COUNT = 1_000
const ALARM_SHARE = 0.02
/** What goes at once when the disk is full. */
const ROOM_RECORDS = 256
/** Names in one frame of the file. */
const GONE_NAMES_MAX = 1_024
/** What is of no use in the file, at least, before it is written anew. */
const WASTE_BYTES_MIN = 64 * 1024

/** A record that a grave ended here although it lived, or could still be undone. */
export interface LaidOutRecord {
  readonly key: RecordKey
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
  /** How much time has passed since it had that age, ms. */
  readonly since: (ageMs: number) => number
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

/** What this node keeps of a record in memory. */
type Held = LaidOutRecord & {
  /** Where it stands in the file; undefined: not yet. */
  span: Span | undefined
  /** The record, encoded, until it stands there. */
  bytes: Uint8Array | undefined
}

/** What is not in the file yet. */
type Unsaved = Held | { readonly gone: readonly string[] }

/**
 * What graves have ended here before its time. A grave cannot be undone where its writer is wrong; so a node that had a
 * record alive, or a tombstone whose undo period has not run here, keeps the record and its needles for another undo period,
 * shows them, and lets an operator bring them back. In normal operation that is nothing: each node sees the tombstone long
 * before the grave.
 *
 * The records themselves are in a file; some 300 bytes of each are in memory.
 */
export class LaidOut implements GraveGuard {
  readonly #components: LaidOutComponents
  readonly #file: LaidOutFile
  readonly #records = new Map<string, Held>()
  readonly #listeners: ((keys: readonly RecordKey[]) => void)[] = []
  #isNew = false
  #isAlarming = false
  /** How many of the records are alarming. */
  #alarming = 0
  /** How many of what is alarming were laid out in which minute of the last day, in order. */
  #recent: { readonly at: number; count: number }[] = []
  /** In order. */
  #unsaved: Unsaved[] = []
  /** Of the frames of what is kept. */
  #usedBytes = 0
  /** Settles when the file has been written: one write comes after the other. */
  #written: Promise<unknown> = Promise.resolve()

  constructor(components: LaidOutComponents, path: string) {
    this.#components = components
    this.#file = new LaidOutFile(components.fileSystem, path)
  }

  /** Before the directory is filled, and once the node's age is known. */
  async load(): Promise<void> {
    const { log, age } = this.#components
    const now = age()
    const ignoredBytes = await this.#file.load((frame, span) => {
      if ('gone' in frame) for (const name of frame.gone) this.#drop(name)
      else {
        const record = this.#recordOf(frame.entry)
        // if the age was lost with the directory, an entry would be kept until the node is as old again
        if (record !== undefined) this.#hold({ ...record, at: Math.min(record.at, now), span, bytes: undefined })
      }
    })
    if (ignoredBytes > 0)
      log.warn({ path: this.#file.path, bytes: ignoredBytes }, 'ignoring an incomplete entry of what was laid out')
  }

  /**
   * To be called once the log has been replayed.
   *
   * @param isEmpty - whether nothing is in the directory
   */
  began(isEmpty: boolean): void {
    this.#isNew = isEmpty
    const ages = this.list().flatMap(({ isAlarming, at }) => (isAlarming ? [at] : []))
    for (const at of ages.sort((a, b) => a - b)) this.#noteAlarming(at, 1)
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

  /**
   * @returns the record as it was; undefined when it is not laid out, or its entry is damaged
   * @throws `ERR_FORMAT_TOO_NEW`; the disk's errors
   */
  read(key: RecordKey): Promise<DirectoryRecord | undefined> {
    return this.#exclusively(async () => {
      const held = this.#records.get(recordName(key))
      const bytes = held?.bytes ?? (held?.span && (await this.#file.read(held.span))?.record)
      return bytes && decodeRecord(bytes)
    })
  }

  has(key: RecordKey): boolean {
    return this.#records.has(recordName(key))
  }

  list(): readonly LaidOutRecord[] {
    return [...this.#records.values()]
  }

  /**
   * Graves have ended so much here in a day that nothing of it is let go before an operator has looked. It is over once no
   * more than that is left.
   */
  get isAlarming(): boolean {
    return this.#isAlarming
  }

  /** Calls the listener with what is no longer kept. */
  onReleased(listener: (keys: readonly RecordKey[]) => void): void {
    this.#listeners.push(listener)
  }

  isUndoable(death: Death): boolean {
    return this.undoLeftMs(death) > 0
  }

  /** @returns for how long a delete can still be undone, ms; not above 0: no more */
  undoLeftMs({ heardAt, isPurgeWanted }: Pick<Death, 'heardAt' | 'isPurgeWanted'>): number {
    const { since, undoMs } = this.#components
    return undoPeriodMs({ isPurgeWanted }, undoMs()) - since(heardAt)
  }

  /** @returns for how long an entry is still kept unless there is an alarm, ms */
  keptForMs({ at }: LaidOutRecord): number {
    return Math.max(0, this.undoLeftMs({ heardAt: at, isPurgeWanted: false }))
  }

  async layOut(doomed: readonly Doomed[]): Promise<void> {
    const { clock, age, undoMs, roundAt, isOwn, nameOf, log } = this.#components
    const foreign = doomed.filter(({ record, from }) => isExhumable(record) && (from === undefined || !isOwn(from)))
    if (this.#isNew || foreign.length === 0) return
    const at = age()
    const round = roundAt()
    const keptUp = round !== undefined && at - round <= undoMs()
    let alarming = 0
    for (const { record, generation, from } of foreign) {
      const held: Held = {
        key: { kind: record.kind, id: record.id },
        generation,
        from: from === undefined ? '' : nameOf(from),
        at,
        diedAtMs: clock.now(),
        isAlarming: keptUp && endedLife(record) === undefined,
        span: undefined,
        bytes: encodeRecord(record)
      }
      if (held.isAlarming) alarming++
      this.#hold(held)
      this.#unsaved.push(held)
    }
    this.#noteAlarming(at, alarming)
    await this.#save()
    const fields = { records: foreign.length, from: foreign[0]?.from, first: foreign[0]?.record.id }
    log.warn(fields, 'graves have ended what lived here, or could still be undone; it is laid out: see sheaf laid-out')
    if (alarming > 0 && this.#isAlarming)
      log.error({ records: this.size }, 'graves end too much here: nothing of it goes before it is released')
  }

  /** Lets go of what was laid out for a whole undo period; of nothing while that is too much. */
  async expire(): Promise<void> {
    await this.#save()
    await this.#tidy()
    if (this.#records.size === 0 || this.#isAlarming) return
    await this.release(entry => this.keptForMs(entry) === 0)
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
    if (this.#isAlarming) return []
    const { since } = this.#components
    const old = this.list().filter(({ at }) => since(at) >= graceMs)
    const chosen = new Set(old.sort((a, b) => a.at - b.at).slice(0, ROOM_RECORDS))
    const records = await this.release(entry => chosen.has(entry))
    if (records > 0)
      this.#components.log.warn({ records }, 'the disk is full: what was laid out longest ago is not kept any longer')
    return Array.from(chosen, ({ key }) => key)
  }

  /** To be called with what records show: one in a life behind the grave was brought back, here or elsewhere. */
  noteShown(record: DirectoryRecord): void {
    const name = recordName(record)
    const entry = this.#records.get(name)
    if (entry === undefined || shownVersion(record).generation <= entry.generation) return
    this.#drop(name)
    this.#unsaved.push({ gone: [name] })
  }

  /**
   * Lets go of what is chosen: its needles are dead.
   *
   * @returns how many records that are
   * @throws the disk's error, as `ERR_DISK_WRITE`, `ERR_DISK_FULL`: until that goes again, it would be back after a restart
   */
  async release(choose: (entry: LaidOutRecord) => boolean): Promise<number> {
    const keys = this.list().flatMap(entry => (choose(entry) ? [entry.key] : []))
    if (keys.length === 0) return 0
    for (let at = 0; at < keys.length; at += GONE_NAMES_MAX) {
      const gone = keys.slice(at, at + GONE_NAMES_MAX).map(recordName)
      for (const name of gone) this.#drop(name)
      this.#unsaved.push({ gone })
    }
    for (const listener of this.#listeners) listener(keys)
    const cause = await this.#save()
    if (cause === undefined) return keys.length
    const code = systemErrorCode(cause) === 'ENOSPC' ? 'ERR_DISK_FULL' : 'ERR_DISK_WRITE'
    throw new SheafError(code, undefined, { cause, details: { path: this.#file.path } })
  }

  /** @returns undefined for an entry that is no record, although its checksum is right */
  #recordOf({ record, ...entry }: LaidOutEntry): LaidOutRecord | undefined {
    try {
      const { kind, id } = opaqueRecordOf(record) ?? decodeRecord(record)
      return { key: { kind, id }, ...entry }
    } catch (err) {
      if (!hasCode(err, 'ERR_RECORD_MALFORMED')) throw err
      this.#components.log.error(
        { err, path: this.#file.path },
        'ignoring an entry of what was laid out: it is no record'
      )
      return undefined
    }
  }

  #hold(held: Held): void {
    const name = recordName(held.key)
    this.#drop(name)
    this.#records.set(name, held)
    if (held.isAlarming) this.#alarming++
    this.#usedBytes += held.span?.length ?? 0
  }

  #drop(name: string): void {
    const held = this.#records.get(name)
    if (held === undefined) return
    this.#records.delete(name)
    this.#usedBytes -= held.span?.length ?? 0
    if (!held.isAlarming) return
    this.#alarming--
    if (this.#alarming <= this.#alarmingMax) this.#isAlarming = false
  }

  #noteAlarming(at: number, count: number): void {
    if (count === 0) return
    const last = this.#recent.at(-1)
    if (last !== undefined && at - last.at < MINUTE_MS) last.count += count
    else this.#recent = [...this.#recent.filter(each => at - each.at <= DAY_MS), { at, count }]
    const lately = this.#recent.reduce((sum, each) => sum + each.count, 0)
    if (lately > this.#alarmingMax) this.#isAlarming = true
  }

  get #alarmingMax(): number {
    const photos = this.#components.photos() ?? Number.POSITIVE_INFINITY
    return Math.min(ALARM_COUNT, ALARM_SHARE * (photos + this.#alarming))
  }

  /**
   * Appends what is not in the file yet. If the disk refuses, it stays in memory, and is tried again.
   *
   * @returns the disk's error
   */
  #save(): Promise<unknown> {
    return this.#exclusively(async () => {
      const unsaved = this.#unsaved
      if (unsaved.length === 0) return undefined
      this.#unsaved = []
      try {
        const spans = await this.#file.append(unsaved.map(frameOf))
        for (const [i, each] of unsaved.entries()) this.#noteSaved(each, spans[i])
        return undefined
      } catch (err) {
        this.#unsaved.unshift(...unsaved)
        const { log } = this.#components
        log.error({ err, path: this.#file.path }, 'what was laid out is in memory only; it is written again later')
        return err
      }
    })
  }

  #noteSaved(saved: Unsaved, span: Span | undefined): void {
    if ('gone' in saved) return
    saved.span = span
    saved.bytes = undefined
    if (this.#records.get(recordName(saved.key)) === saved) this.#usedBytes += span?.length ?? 0
  }

  /** Writes the file anew when most of it is of no use. */
  #tidy(): Promise<void> {
    return this.#exclusively(async () => {
      const { byteCount, path } = this.#file
      if (byteCount <= 2 * this.#usedBytes + WASTE_BYTES_MIN && (byteCount === 0 || this.#records.size > 0)) return
      const kept = [...this.#records.values()].filter(({ span }) => span !== undefined)
      try {
        const spans = await this.#file.keep(kept.map(({ span }) => span as Span))
        for (const [i, held] of kept.entries()) held.span = spans[i]
      } catch (err) {
        this.#components.log.warn(
          { err, path },
          'could not write the file of what was laid out anew; trying again later'
        )
      }
    })
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#written.then(work)
    this.#written = done.catch(() => {})
    return done
  }
}

function frameOf(unsaved: Unsaved): Uint8Array {
  if ('gone' in unsaved) return encodeFrame(unsaved)
  const { bytes: record = new Uint8Array(), generation, from, at, diedAtMs, isAlarming } = unsaved
  return encodeFrame({ entry: { record, generation, from, at, diedAtMs, isAlarming } })
}
