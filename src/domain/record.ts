/*
 * A directory record: what it is, how replicas of it merge, how a write changes it.
 *
 * A record is a set of entries, each under the dot of the write that made it, and a context: all dots that this
 * replica has ever seen in the record. An entry whose dot is in a context but which is not among the entries was
 * superseded, removed or trimmed by somebody who had seen it. With E for the entries and C for the context:
 *
 *   E(a ⊔ b) = { e ∈ E(a) ∪ E(b) : e in both, or its dot outside the context of the side that lacks it }
 *   C(a ⊔ b) = C(a) ⊔ C(b)                                  actor by actor the greater counter
 *
 * That is a join (commutative, associative, idempotent) for any records whatever, and what one side dropped on purpose
 * never comes back from the other. All forgetting happens in local writes, `changeRecord`, by this one rule.
 *
 * Entries of the field 'version' are versions of the record. The greatest by (generation, deleted, hlc, actor) is
 * shown, the others are conflict versions. All other entries are elements of sets or keys of maps: tags, variants, …
 * They are under the shown version's rank, its (generation, deleted): an element of a lower rank is out of force, and
 * the next write drops it. The merge must not drop it, although no write ever lowers a rank: with records from a
 * defective node a later merge could, and then the order of merges would decide which elements are left.
 *
 * @see Preguiça, Baquero, Almeida, Fonte, Gonçalves 2012, "Dotted Version Vectors"
 * @see Almeida, Shoker, Baquero 2018, "Delta State Replicated Data Types", section 7
 */
import { invariant } from '../core/invariant.js'
import { malformed, toWellFormed, type Value } from './cbor.js'
import { encodeValue } from './cbor-writer.js'
import {
  compareRanks,
  compareVersions,
  type Entry,
  greaterContent,
  greatestEntry,
  type Rank,
  type UnknownFields,
  VERSION_FIELD
} from './entry.js'
import type { Hlc } from './hlc.js'
import type { ActorId } from './ids.js'
import { compareDots, covers, type Dot, joinVectors, type VersionVector } from './version-vector.js'

/** 'photo', 'album', 'user', 'share', 'volume', 'member', and kinds to come. */
export type RecordKind = string

export interface RecordKey {
  readonly kind: RecordKind
  readonly id: string
}

export interface DirectoryRecord extends RecordKey {
  /** Covers the dots of all entries. */
  readonly context: VersionVector
  /** Ascending by dot, each dot once. */
  readonly entries: readonly Entry[]
  readonly extra?: UnknownFields
}

/** A write keeps at most this many versions beside the one shown. */
export const CONFLICT_VERSIONS_MAX = 16

/**
 * Who writes, and with what stamp.
 *
 * The actor counts its writes to a record by what the record says. So when a write fails and may yet turn up on disk, the
 * writer must go on under a fresh actor: its next write has not seen that one and must not share or cover its dots.
 */
export interface Stamper {
  readonly actor: ActorId
  /** @returns a stamp greater than all in `seen`: `HybridClock.after` */
  hlc(seen: Iterable<Hlc>): Hlc
}

export type Change =
  /** A new version. At most one in a call; its rank must not be below that of the shown version. */
  | {
      readonly kind: 'version'
      /** Default: as shown; 0 in a new record. */
      readonly generation?: number
      /** Default: as shown; false in a new record. */
      readonly deleted?: boolean
      readonly value: ReadonlyMap<string, Value>
      /** Dots of the versions that this one replaces; the others stay as conflict versions. Default: the shown one. */
      readonly supersedes?: readonly Dot[]
      /** Which elements to take along under a greater rank. Default: none. */
      readonly carry?: (element: Entry) => boolean
    }
  /** Adds an element or sets a map's key, replacing what was seen of it. Default of the value: as it was, or empty. */
  | { readonly kind: 'add'; readonly field: string; readonly key: string; readonly value?: ReadonlyMap<string, Value> }
  /** Removes what was seen of an element; an add that runs concurrently elsewhere survives. */
  | { readonly kind: 'remove'; readonly field: string; readonly key: string }

/**
 * The join of the equations above. Of unknown fields that differ, the greater canonical bytes stay.
 *
 * @param b - under the same key as `a`
 */
export function mergeRecords(a: DirectoryRecord, b: DirectoryRecord): DirectoryRecord {
  if (a === b) return a
  invariant(a.kind === b.kind && a.id === b.id, 'records of two keys cannot be merged')
  const extra = mergeUnknown(a.extra, b.extra)
  return {
    kind: a.kind,
    id: a.id,
    context: joinVectors(a.context, b.context),
    entries: mergeEntries(a, b),
    ...(extra === undefined ? {} : { extra })
  }
}

/** @throws `ERR_RECORD_MALFORMED` if there is no version, which no sequence of writes and merges brings about */
export function shownVersion(record: DirectoryRecord): Entry {
  const shown = greatestEntry(record.entries, isVersion)
  if (shown === undefined) throw malformed(`${record.kind} ${record.id} has no version`)
  return shown
}

/** @returns the versions that lost against the shown one, greatest first */
export function conflictVersions(record: DirectoryRecord): Entry[] {
  return versionsOf(record.entries).slice(1)
}

/** @returns the elements in force, ascending by dot; several of one key if their adds were concurrent */
export function elementsOf(record: DirectoryRecord, field: string): Entry[] {
  const rank = rankOf(record.entries)
  return record.entries.filter(entry => entry.field === field && compareRanks(entry, rank) >= 0)
}

/**
 * A local write: all changes in their order, under one stamp, each entry that it adds under a dot of its own.
 *
 * @param before - the record as it is on this node; undefined for a new one
 * @returns the record to be written; `before` is not mutated
 */
export function changeRecord(
  key: RecordKey,
  before: DirectoryRecord | undefined,
  stamper: Stamper,
  changes: readonly Change[]
): DirectoryRecord {
  invariant(before === undefined || (before.kind === key.kind && before.id === key.id), 'the record has another key')
  const draft = new Draft(before, stamper)
  for (const change of changes) {
    if (change.kind === 'version') draft.version(change)
    else if (change.kind === 'add') draft.add(change.field, toWellFormed(change.key), change.value)
    else draft.remove(change.field, toWellFormed(change.key))
  }
  const extra = before?.extra
  return { kind: key.kind, id: key.id, ...draft.finish(), ...(extra === undefined ? {} : { extra }) }
}

/** The entries of a record while one write changes them. */
class Draft {
  readonly #actor: ActorId
  readonly #hlc: Hlc
  readonly #context: Map<ActorId, number>
  #entries: Entry[]
  #versionWritten = false

  constructor(before: DirectoryRecord | undefined, stamper: Stamper) {
    const entries = before?.entries ?? []
    this.#actor = stamper.actor
    this.#hlc = stamper.hlc(entries.map(entry => entry.hlc))
    this.#context = new Map(before?.context)
    this.#entries = inForce(entries, rankOf(entries))
  }

  version(change: Extract<Change, { kind: 'version' }>): void {
    invariant(!this.#versionWritten, 'one write makes one version')
    this.#versionWritten = true
    const shown = greatestEntry(this.#entries, isVersion)
    const generation = change.generation ?? shown?.generation ?? 0
    const deleted = change.deleted ?? shown?.deleted ?? false
    const rank = { generation, deleted }
    invariant(shown === undefined || compareRanks(rank, shown) >= 0, 'a write may not be beaten by what it saw')
    const superseded = change.supersedes ?? (shown === undefined ? [] : [shown.dot])
    const versions = versionsOf(this.#entries)
      .filter(({ dot }) => !superseded.some(other => compareDots(dot, other) === 0))
      .slice(0, CONFLICT_VERSIONS_MAX)
    const elements = this.#entries.filter(entry => !isVersion(entry))
    const carried = inForce(elements, rank).length === elements.length ? [] : elements.filter(change.carry ?? none)
    this.#entries = [...versions, ...inForce(elements, rank)]
    this.#push(rank, VERSION_FIELD, '', change.value, shown?.extra)
    // Ascending, so that the new dots keep the order among concurrent elements of one key.
    for (const { field, key, value, extra } of carried.sort(compareVersions)) this.#push(rank, field, key, value, extra)
  }

  add(field: string, key: string, value: ReadonlyMap<string, Value> | undefined): void {
    const replaced = greatestEntry(this.#entries, entry => entry.field === field && entry.key === key)
    this.remove(field, key)
    this.#push(rankOf(this.#entries), field, key, value ?? replaced?.value ?? new Map(), replaced?.extra)
  }

  remove(field: string, key: string): void {
    invariant(field !== VERSION_FIELD, 'versions are superseded, not removed')
    this.#entries = this.#entries.filter(entry => entry.field !== field || entry.key !== key)
  }

  finish(): Pick<DirectoryRecord, 'context' | 'entries'> {
    return { context: this.#context, entries: this.#entries.toSorted((a, b) => compareDots(a.dot, b.dot)) }
  }

  #push(
    rank: Rank,
    field: string,
    key: string,
    value: ReadonlyMap<string, Value>,
    extra: UnknownFields | undefined
  ): void {
    const counter = (this.#context.get(this.#actor) ?? 0) + 1
    this.#context.set(this.#actor, counter)
    const entry: Entry = {
      dot: { actor: this.#actor, counter },
      hlc: this.#hlc,
      generation: rank.generation,
      deleted: rank.deleted,
      field,
      key,
      value: toWellFormed(value),
      ...(extra === undefined ? {} : { extra })
    }
    this.#entries.push(entry)
  }
}

function mergeEntries(a: DirectoryRecord, b: DirectoryRecord): Entry[] {
  const merged: Entry[] = []
  let i = 0
  let j = 0
  for (;;) {
    const left = a.entries[i]
    const right = b.entries[j]
    if (left === undefined && right === undefined) return merged
    const order = left === undefined ? 1 : right === undefined ? -1 : compareDots(left.dot, right.dot)
    if (order <= 0) i += 1
    if (order >= 0) j += 1
    if (order < 0 && left !== undefined && !covers(b.context, left.dot)) merged.push(left)
    if (order > 0 && right !== undefined && !covers(a.context, right.dot)) merged.push(right)
    if (order === 0 && left !== undefined && right !== undefined) merged.push(greaterContent(left, right))
  }
}

function mergeUnknown(a: UnknownFields | undefined, b: UnknownFields | undefined): UnknownFields | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const merged = new Map(a)
  for (const [field, value] of b) {
    const other = merged.get(field)
    if (other === undefined || Buffer.compare(encodeValue(value), encodeValue(other)) > 0) merged.set(field, value)
  }
  return merged
}

/** The rank of the shown version: what elements must have to be in force. */
function rankOf(entries: readonly Entry[]): Rank {
  return greatestEntry(entries, isVersion) ?? { generation: 0, deleted: false }
}

function inForce(entries: readonly Entry[], rank: Rank): Entry[] {
  return entries.filter(entry => isVersion(entry) || compareRanks(entry, rank) >= 0)
}

function versionsOf(entries: readonly Entry[]): Entry[] {
  return entries.filter(isVersion).sort((a, b) => compareVersions(b, a))
}

function isVersion(entry: Entry): boolean {
  return entry.field === VERSION_FIELD
}

function none(): boolean {
  return false
}
