/*
 * The canonical form of a record: record needles hold it, Merkle leaves digest it, peers exchange it. Format 2, in the
 * canonical CBOR of cbor.ts; record and entry are maps with unsigned integers as keys.
 *
 *   record   0  format, 2
 *            1  kind, text of 1…64 characters
 *            2  id, text of 1…1024 characters
 *            3  context: map of actor in a life → counter (1…2⁴⁸); in life 0 the actor's 8 bytes, in any later one these
 *               and the life, 4 bytes big-endian; ascending, the shorter first
 *            4  entries: array, ascending by dot, each dot once
 *            5  buried: lives below it are over, 1…2¹⁹ + 1; absent: 0
 *            6… unknown fields; none if field 5 is there. 6 is reserved for `retain_until`, of a later format
 *
 *   entry    0  actor in the life of the entry's generation: its index in the context, from 0
 *            1  counter, from 1 to the actor's counter in the context
 *            2  hlc, 64 bits
 *            3  generation: the life, at least `buried`, at most 2²⁰; absent: 0
 *            4  true if deleted; absent: false
 *            5  field, text of 1…64 characters; absent: 'version'
 *            6  key, text of 1…1024 characters; absent: empty
 *            7  value: map of text → any; absent: empty
 *            8… unknown fields
 *
 * Valid: canonical, as above, at most RECORD_BYTES_MAX bytes. Characters are UTF-16 code units. A state has exactly one
 * encoding: a default that is written out is as malformed as an unsorted map. Unknown fields are preserved, so a later
 * version may add fields (each value a `Value`) if records make sense without them and the successor of an entry may
 * inherit them; any other change raises the format. Fields 0 to 2 are the same in all formats, so that a version which
 * cannot read a record still knows its key. There is no checksum: the needle, the directory's row and the wire have their
 * own. A record is written in the least format that can express it (formats.ts).
 *
 * Format 1 is read as well. It had one context for all lives, its field 5 and up were unknown ones, and generations had 32
 * bits; each life up to the last that has entries is given the whole context.
 */
import { SheafError } from '../core/errors.js'
import { invariant } from '../core/invariant.js'
import { malformed, type Value } from './cbor.js'
import { CborReader } from './cbor-reader.js'
import { CborWriter } from './cbor-writer.js'
import { type Entry, GENERATION_MAX, type UnknownFields, VERSION_FIELD } from './entry.js'
import { leastFormat, RECORD_FORMATS, type RecordFormats } from './formats.js'
import type { Hlc } from './hlc.js'
import { ACTOR_ID_BYTES, type ActorId, actorIdFrom } from './ids.js'
import { NEEDLE_DATA_BYTES_MAX } from './needle.js'
import type { DirectoryRecord, RecordKey } from './record.js'
import {
  actorInLife,
  COUNTER_MAX,
  compareActors,
  compareDots,
  covers,
  type Dot,
  LIFE_BYTES,
  type LifeActor,
  lifeOf,
  type VersionVector
} from './version-vector.js'

/** A record must fit in one needle. */
export const RECORD_BYTES_MAX = NEEDLE_DATA_BYTES_MAX

/** The latest that this version reads. */
export const RECORD_FORMAT = RECORD_FORMATS.max
export const NAME_CHARACTERS_MAX = 64
export const KEY_CHARACTERS_MAX = 1024
/** No grave ends a life above it, so a forged one leaves as many again in which the record can live on. */
export const GRAVE_GENERATION_MAX = 2 ** 19
/** Dots that lives of a record of format 1 are given on top: more than undeleting by hand ever needs. */
const GIVEN_DOTS_MAX = 2 ** 14
/** Dots that a record of format 1 may come to have: a small one with many lives and actors would fill the memory. */
const LIVES_DOTS_MAX = 2 ** 18
/** A greater one is no format: nothing of that kind is kept. */
export const FORMAT_LAST = 0xffff_ffff
/** Greatest field numbers that this version knows. */
const RECORD_FIELD_LAST = 5
const FORMAT_1_FIELD_LAST = 4
const ENTRY_FIELD_LAST = 7
/** Of the format's byte, behind the map's head and the field's number, as long as formats are below 24. */
const FORMAT_AT = 2
const EMPTY: ReadonlyMap<string, Value> = new Map()

/** A record of a later format: its key is known, its state is not. */
export interface OpaqueRecord extends RecordKey {
  readonly format: number
}

/**
 * Reads the fields 0 to 2, which all formats have in common.
 *
 * @returns undefined for a record that a program of these formats can read whole
 * @throws `ERR_RECORD_MALFORMED`
 */
export function opaqueRecordOf(bytes: Uint8Array, formats: RecordFormats = RECORD_FORMATS): OpaqueRecord | undefined {
  const fields = new FieldReader(new CborReader(bytes))
  const format = fields.require(0).uint()
  if (format <= formats.max) return undefined
  if (format > FORMAT_LAST) throw malformed(`there will be no format ${format}`)
  const kind = requireLength(fields.require(1).text(), NAME_CHARACTERS_MAX)
  const id = requireLength(fields.require(2).text(), KEY_CHARACTERS_MAX)
  return { format, kind, id }
}

/** As {@link encodeRecordAs} with the formats of this version. */
export function encodeRecord(record: DirectoryRecord): Uint8Array {
  return encodeRecordAs(RECORD_FORMATS, record)
}

/**
 * @param formats - of the program that writes
 * @throws `ERR_RECORD_MALFORMED` if it takes more than RECORD_BYTES_MAX or a text has the wrong length
 */
export function encodeRecordAs(formats: RecordFormats, record: DirectoryRecord): Uint8Array {
  const writer = new CborWriter()
  const { buried = 0, extra } = record
  invariant(buried === 0 || (buried <= GRAVE_GENERATION_MAX + 1 && extra === undefined), 'what is buried fits')
  writer.mapHead(RECORD_FIELD_LAST + Number(buried > 0) + (extra?.size ?? 0))
  writer.uint(0)
  writer.uint(leastFormat(record, formats))
  writer.uint(1)
  writer.text(requireLength(record.kind, NAME_CHARACTERS_MAX))
  writer.uint(2)
  writer.text(requireLength(record.id, KEY_CHARACTERS_MAX))
  writer.uint(3)
  const places = writeContext(writer, record.context, buried)
  writer.uint(4)
  writer.arrayHead(record.entries.length)
  let previous: Dot | undefined
  for (const entry of record.entries) {
    const { dot, generation } = entry
    invariant(lifeOf(dot.actor) === generation, 'an entry has a dot of another life')
    invariant(dot.counter > 0 && covers(record.context, dot), 'an entry is not covered by the context of its record')
    invariant(previous === undefined || compareDots(previous, dot) < 0, 'entries are not in the order of their dots')
    writeEntry(writer, entry, places.get(dot.actor) ?? 0)
    previous = dot
  }
  if (buried > 0) {
    writer.uint(5)
    writer.uint(buried)
  }
  writeUnknown(writer, extra, RECORD_FIELD_LAST)
  const bytes = writer.finish()
  if (bytes.length > RECORD_BYTES_MAX) throw malformed(`it takes ${bytes.length} bytes`)
  return bytes
}

/**
 * @param formatMax - the latest format that the reader knows
 * @returns the record; it shares no memory with `bytes`
 * @throws `ERR_FORMAT_TOO_NEW` for a later format; `ERR_RECORD_MALFORMED` for anything else that is not valid
 */
export function decodeRecord(bytes: Uint8Array, formatMax: number = RECORD_FORMAT): DirectoryRecord {
  if (bytes.length > RECORD_BYTES_MAX) throw malformed(`it takes ${bytes.length} bytes`)
  const reader = new CborReader(bytes)
  const fields = new FieldReader(reader)
  const format = fields.require(0).uint()
  if (format > formatMax)
    throw new SheafError(
      'ERR_FORMAT_TOO_NEW',
      `the record has format ${format}; this version reads up to ${formatMax}; upgrade`
    )
  if (format === 0) throw malformed('there never was a format 0')
  const kind = requireLength(fields.require(1).text(), NAME_CHARACTERS_MAX)
  const id = requireLength(fields.require(2).text(), KEY_CHARACTERS_MAX)
  const context = readContext(fields.require(3))
  const entries = readEntries(fields.require(4), context)
  if (format === 1) {
    const extra = fields.unknown(FORMAT_1_FIELD_LAST)
    reader.end()
    return livesOf({ kind, id, context, entries }, extra)
  }
  const buried = fields.has(5) ? reader.uint() : undefined
  if (buried !== undefined && (buried === 0 || buried > GRAVE_GENERATION_MAX + 1))
    throw malformed('the buried lives are out of range')
  const extra = fields.unknown(RECORD_FIELD_LAST)
  reader.end()
  for (const actor of context.keys()) if (lifeOf(actor) < (buried ?? 0)) throw malformed('a life that is over has dots')
  for (const { dot, generation } of entries)
    if (lifeOf(dot.actor) !== generation) throw malformed('a dot of another life')
  if (buried !== undefined && extra !== undefined) throw malformed('a buried life has unknown fields')
  return {
    kind,
    id,
    ...(buried === undefined ? {} : { buried }),
    context,
    entries,
    ...(extra === undefined ? {} : { extra })
  }
}

/** @returns the format that these bytes of a valid record say */
export function formatOf(bytes: Uint8Array): number {
  return bytes[FORMAT_AT] ?? 0
}

/** @returns the canonical bytes of a record that `decodeRecord` made of these: themselves, unless their format is another */
export function canonicalBytes(
  bytes: Uint8Array,
  record: DirectoryRecord,
  formats: RecordFormats = RECORD_FORMATS
): Uint8Array {
  return formatOf(bytes) === leastFormat(record, formats) ? bytes : encodeRecordAs(formats, record)
}

/**
 * Gives each entry of a record of format 1 a dot of its own life, and the context of all to each life up to the last of
 * them: what is superseded in a life without entries stays so when an older record turns up. A forged generation costs a
 * bounded number of dots.
 */
function livesOf(old: DirectoryRecord, extra: UnknownFields | undefined): DirectoryRecord {
  const context = new Map(old.context)
  const lives = new Set(old.entries.map(({ generation }) => generation))
  if (lives.size * context.size > LIVES_DOTS_MAX) throw malformed('its lives have too many dots')
  const given = Math.floor(GIVEN_DOTS_MAX / Math.max(old.context.size, 1))
  const last = Math.max(0, ...lives)
  for (let life = Math.max(1, last - given + 1); life <= last; life++) lives.add(life)
  for (const life of lives) {
    for (const [actor, counter] of old.context) context.set(actorInLife(actor as ActorId, life), counter)
  }
  const entries = old.entries
    .map(entry => ({
      ...entry,
      dot: { ...entry.dot, actor: actorInLife(entry.dot.actor as ActorId, entry.generation) }
    }))
    .sort((a, b) => compareDots(a.dot, b.dot))
  const unknown = extra && new Map([...extra].map(([field, value]) => [field + 1, value]))
  return { kind: old.kind, id: old.id, context, entries, ...(unknown === undefined ? {} : { extra: unknown }) }
}

/** @returns each actor's place */
function writeContext(writer: CborWriter, context: VersionVector, buried: number): Map<LifeActor, number> {
  const actors = [...context.keys()].sort(compareActors)
  const places = new Map<LifeActor, number>()
  writer.mapHead(actors.length)
  for (const actor of actors) {
    invariant(lifeOf(actor) >= buried, 'a life that is over has dots')
    places.set(actor, places.size)
    writer.bytes(Buffer.from(actor, 'hex'))
    writer.uint(context.get(actor) ?? 0)
  }
  return places
}

function readContext(reader: CborReader): Map<LifeActor, number> {
  const context = new Map<LifeActor, number>()
  let previous: LifeActor | undefined
  for (let left = reader.mapHead(); left > 0; left--) {
    const actor = lifeActorFrom(reader.bytes())
    const counter = reader.uint()
    if (counter > COUNTER_MAX) throw malformed('a counter is out of range')
    if (counter === 0 || (previous !== undefined && compareActors(actor, previous) <= 0))
      throw malformed('the context is not canonical')
    context.set(actor, counter)
    previous = actor
  }
  return context
}

function lifeActorFrom(bytes: Uint8Array): LifeActor {
  if (bytes.length === ACTOR_ID_BYTES) return actorIdFrom(bytes)
  if (bytes.length !== ACTOR_ID_BYTES + LIFE_BYTES) throw malformed('an actor has neither 8 nor 12 bytes')
  const life = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32BE(ACTOR_ID_BYTES)
  if (life === 0 || life > GENERATION_MAX) throw malformed('a life is out of range')
  return actorInLife(actorIdFrom(bytes.subarray(0, ACTOR_ID_BYTES)), life)
}

function writeEntry(writer: CborWriter, entry: Entry, place: number): void {
  const { dot, generation, deleted, field, key, value, extra } = entry
  invariant(generation <= GENERATION_MAX, 'a generation is out of range')
  const present = [generation !== 0, deleted, field !== VERSION_FIELD, key !== '', value.size !== 0]
  writer.mapHead(3 + present.filter(Boolean).length + (extra?.size ?? 0))
  writer.uint(0)
  writer.uint(place)
  writer.uint(1)
  writer.uint(dot.counter)
  writer.uint(2)
  writer.uint64(entry.hlc)
  if (generation !== 0) {
    writer.uint(3)
    writer.uint(generation)
  }
  if (deleted) {
    writer.uint(4)
    writer.boolean(true)
  }
  if (field !== VERSION_FIELD) {
    writer.uint(5)
    writer.text(requireLength(field, NAME_CHARACTERS_MAX))
  }
  if (key !== '') {
    writer.uint(6)
    writer.text(requireLength(key, KEY_CHARACTERS_MAX))
  }
  if (value.size !== 0) {
    writer.uint(7)
    writer.map(value)
  }
  writeUnknown(writer, extra, ENTRY_FIELD_LAST)
}

function readEntries(reader: CborReader, context: VersionVector): Entry[] {
  const actors = [...context]
  const entries: Entry[] = []
  let place = 0
  let counter = 0
  for (let left = reader.arrayHead(); left > 0; left--) {
    const fields = new FieldReader(reader)
    const nextPlace = fields.require(0).uint()
    const nextCounter = fields.require(1).uint()
    if (nextPlace < place || nextCounter <= (nextPlace === place ? counter : 0)) throw malformed('unsorted entries')
    place = nextPlace
    counter = nextCounter
    const [actor, counterMax = 0] = actors[place] ?? []
    if (actor === undefined || counter > counterMax) throw malformed('the context does not cover an entry')
    entries.push(readEntry(reader, fields, { actor, counter }))
  }
  return entries
}

function readEntry(reader: CborReader, fields: FieldReader, dot: Dot): Entry {
  const hlc = fields.require(2).uint64() as Hlc
  const generation = fields.has(3) ? reader.uint() : undefined
  const deleted = fields.has(4) ? reader.boolean() : undefined
  const field = fields.has(5) ? requireLength(reader.text(), NAME_CHARACTERS_MAX) : undefined
  const key = fields.has(6) ? requireLength(reader.text(), KEY_CHARACTERS_MAX) : undefined
  const value = fields.has(7) ? reader.map() : undefined
  const extra = fields.unknown(ENTRY_FIELD_LAST)
  if (generation === 0 || deleted === false || field === VERSION_FIELD || value?.size === 0) {
    throw malformed('a default is spelled out')
  }
  if (generation !== undefined && generation > GENERATION_MAX) throw malformed('a generation is out of range')
  return {
    dot,
    hlc,
    generation: generation ?? 0,
    deleted: deleted ?? false,
    field: field ?? VERSION_FIELD,
    key: key ?? '',
    value: value ?? EMPTY,
    ...(extra === undefined ? {} : { extra })
  }
}

/** Writes the unknown fields; all of them have numbers above `last`. */
function writeUnknown(writer: CborWriter, extra: UnknownFields | undefined, last: number): void {
  if (extra === undefined) return
  for (const [number, value] of [...extra].sort(([a], [b]) => a - b)) {
    invariant(number > last, `field ${number} is not an unknown one`)
    writer.uint(number)
    writer.value(value)
  }
}

/** Reads a map with ascending unsigned integers as keys. */
class FieldReader {
  readonly #reader: CborReader
  #left: number
  /** A key that was read ahead of its value. */
  #next: number | undefined

  constructor(reader: CborReader) {
    this.#reader = reader
    this.#left = reader.mapHead()
  }

  /** @returns whether the next field is this one; if so, read its value from the reader before the next call */
  has(number: number): boolean {
    if (this.#next === undefined && this.#left > 0) {
      this.#next = this.#reader.uint()
      this.#left -= 1
    }
    if (this.#next !== number) return false
    this.#next = undefined
    return true
  }

  require(number: number): CborReader {
    if (!this.has(number)) throw malformed(`field ${number} is missing`)
    return this.#reader
  }

  /** @returns the remaining fields, whose numbers must exceed `last`; undefined if there is none */
  unknown(last: number): UnknownFields | undefined {
    if (this.#next === undefined && this.#left === 0) return undefined
    const extra = new Map<number, Value>()
    let previous = last
    while (this.#next !== undefined || this.#left > 0) {
      const number = this.#next ?? this.#reader.uint()
      if (this.#next === undefined) this.#left -= 1
      this.#next = undefined
      if (number <= previous) throw malformed('fields are not sorted')
      extra.set(number, this.#reader.value())
      previous = number
    }
    return extra
  }
}

/** Applies the same bounds when writing and reading, so that everything written can be read. */
function requireLength(text: string, charactersMax: number): string {
  if (text.length === 0 || text.length > charactersMax)
    throw malformed(`a text does not have 1…${charactersMax} characters`)
  return text
}
