/*
 * A directory record: its structure, the merge of its replicas, and how a write changes it.
 *
 * A record is a set of entries, each under the dot of the write that made it, and a context: all dots that this replica
 * has ever seen in the record. If a context covers a dot without an entry, a write that had seen the entry superseded,
 * removed or trimmed it. With E for the entries and C for the context:
 *
 *   E(a ⊔ b) = { e ∈ E(a) ∪ E(b) : e in both, or its dot outside the context of the side that lacks it }
 *   C(a ⊔ b) = C(a) ⊔ C(b)                                  the greater counter of each actor
 *
 * This is a join (commutative, associative, idempotent) for arbitrary records, and an entry that one side dropped never
 * comes back from the other. Only local writes (`changeRecord`) drop entries.
 *
 * A record is a sequence of lives, numbered by generation: an undelete begins the next one. Dots belong to the life of
 * their entry (`LifeActor`), so contexts and entries of different lives are apart, and a record can be buried up to a
 * life: `buried` = b says that all lives below b are over. Their entries go, and their contexts with them:
 *
 *   b(a ⊔ b) = max,  then what belongs to lives below it is dropped from E and C
 *
 * That is a join still, since b is a chain and dropping lives commutes with it. Were dots not of a life, a dropped context
 * would let an actor count anew from dots that others know, and they would take its writes for superseded ones (Riak's
 * "doomstones"). A grave is (b, ∅): it ends every life below b wherever it is merged, and says nothing of later ones.
 * Unknown fields belong to life 0 and go with it.
 *
 * Entries of the field 'version' are versions of the record. The greatest by (generation, deleted, hlc, actor) is
 * shown, the others are conflict versions. All other entries are elements of sets or keys of maps: tags, variants, …
 * The rank of an entry is (generation, deleted). An element of a lower rank than the shown version is not in force, and
 * the next write drops it. The merge must not drop it: no write lowers the shown rank, but a merge with records of a
 * faulty node could, and then the order of merges would decide which elements survive.
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
  GENERATION_MAX,
  greaterContent,
  greatestEntry,
  type Rank,
  type UnknownFields,
  VERSION_FIELD
} from './entry.js'
import type { Hlc } from './hlc.js'
import type { ActorId } from './ids.js'
import {
  actorInLife,
  compareDots,
  covers,
  type Dot,
  joinVectors,
  type LifeActor,
  type VersionVector,
  withoutLivesBelow
} from './version-vector.js'

/** 'photo', 'album', 'user', 'share', 'volume', 'member', and kinds to come. */
export type RecordKind = string

export interface RecordKey {
  readonly kind: RecordKind
  readonly id: string
}

/** @returns a text that names the record among those of all kinds */
export function recordName({ kind, id }: RecordKey): string {
  return `${kind}\0${id}`
}

export interface DirectoryRecord extends RecordKey {
  /** Lives below this generation are over: none of their entries or dots is left. Absent: none is over. */
  readonly buried?: number
  /** Covers the dots of all entries. */
  readonly context: VersionVector
  /** Ascending by dot, each dot once. */
  readonly entries: readonly Entry[]
  readonly extra?: UnknownFields
}

/** A write keeps at most this many conflict versions. */
export const CONFLICT_VERSIONS_MAX = 16

/**
 * The actor and the stamp of a write.
 *
 * An actor derives its next counter from the record. If a write fails but may still be on disk, the writer must continue
 * under a new actor: its next write has not seen the failed one and must neither reuse nor cover its dots.
 */
export interface Stamper {
  readonly actor: ActorId
  /** @returns a stamp greater than all in `seen`, or the greatest there is: `HybridClock.after` */
  hlc(seen: Iterable<Hlc>): Hlc
}

export type Change =
  /** A new version. At most one per call; its rank must not be below that of the shown version. */
  | {
      readonly kind: 'version'
      /** Default: as shown; in a new record 0, after a grave the life that follows. */
      readonly generation?: number
      /** Default: as shown; false in a new record. */
      readonly deleted?: boolean
      readonly value: ReadonlyMap<string, Value>
      /** Dots of the versions that this one supersedes; the others become conflict versions. Default: the shown one. */
      readonly supersedes?: readonly Dot[]
      /** Which elements to keep when the rank rises. Default: none. */
      readonly carry?: (element: Entry) => boolean
    }
  /** Adds an element or sets a key of a map, replacing the entries seen. Default value: the previous one, or empty. */
  | { readonly kind: 'add'; readonly field: string; readonly key: string; readonly value?: ReadonlyMap<string, Value> }
  /** Removes the entries seen of an element; a concurrent add on another node survives. */
  | { readonly kind: 'remove'; readonly field: string; readonly key: string }

/**
 * The join of the equations above. Of unknown fields that differ, the one with the greater canonical bytes is kept.
 *
 * @param b - has the same key as `a`
 */
export function mergeRecords(a: DirectoryRecord, b: DirectoryRecord): DirectoryRecord {
  if (a === b) return a
  invariant(a.kind === b.kind && a.id === b.id, 'records of two keys cannot be merged')
  const buried = Math.max(a.buried ?? 0, b.buried ?? 0)
  const context = joinVectors(a.context, b.context)
  const entries = mergeEntries(a, b)
  if (buried > 0) {
    return {
      kind: a.kind,
      id: a.id,
      buried,
      context: withoutLivesBelow(context, buried),
      entries: entries.filter(({ generation }) => generation >= buried)
    }
  }
  const extra = mergeUnknown(a.extra, b.extra)
  return { kind: a.kind, id: a.id, context, entries, ...(extra === undefined ? {} : { extra }) }
}

/** @returns the record that ends all lives up to this generation, and holds nothing */
export function graveOf({ kind, id }: RecordKey, generation: number): DirectoryRecord {
  return { kind, id, buried: generation + 1, context: new Map(), entries: [] }
}

/** Whether all lives of the record are over, and nothing but that is left of it. */
export function isGrave({ buried = 0, context, entries }: DirectoryRecord): boolean {
  return buried > 0 && entries.length === 0 && context.size === 0
}

/** @throws `ERR_RECORD_MALFORMED` if there is no version; writes and merges never produce that */
export function shownVersion(record: DirectoryRecord): Entry {
  const shown = greatestEntry(record.entries, isVersion)
  if (shown === undefined) throw malformed(`${record.kind} ${record.id} has no version`)
  return shown
}

/** @returns whether it has a version, and is not deleted */
export function isLive(record: DirectoryRecord): boolean {
  return greatestEntry(record.entries, isVersion)?.deleted === false
}

/** @returns the versions that lost against the shown one, greatest first */
export function conflictVersions(record: DirectoryRecord): Entry[] {
  return versionsOf(record.entries).slice(1)
}

/** @returns the elements in force, ascending by dot; several per key if their adds were concurrent */
export function elementsOf(record: DirectoryRecord, field: string): Entry[] {
  const rank = rankOf(record.entries)
  return record.entries.filter(entry => entry.field === field && compareRanks(entry, rank) >= 0)
}

/**
 * A local write: applies all changes in order, under one stamp; each new entry gets its own dot.
 *
 * @param before - the current record on this node; undefined for a new one
 * @returns the record to write; `before` is not mutated
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
  const { buried, extra } = before ?? {}
  return {
    kind: key.kind,
    id: key.id,
    ...(buried === undefined ? {} : { buried }),
    ...draft.finish(),
    ...(extra === undefined ? {} : { extra })
  }
}

/** The entries of a record while one write changes them. */
class Draft {
  readonly #actor: ActorId
  readonly #hlc: Hlc
  readonly #context: Map<LifeActor, number>
  readonly #buried: number
  #entries: Entry[]
  #versionWritten = false

  constructor(before: DirectoryRecord | undefined, stamper: Stamper) {
    const entries = before?.entries ?? []
    this.#actor = stamper.actor
    this.#hlc = stamper.hlc(entries.map(entry => entry.hlc))
    this.#context = new Map(before?.context)
    this.#buried = before?.buried ?? 0
    this.#entries = inForce(entries, rankOf(entries))
  }

  version(change: Extract<Change, { kind: 'version' }>): void {
    invariant(!this.#versionWritten, 'one write makes one version')
    this.#versionWritten = true
    const shown = greatestEntry(this.#entries, isVersion)
    const generation = change.generation ?? shown?.generation ?? this.#buried
    if (generation > GENERATION_MAX) throw malformed('it has had as many lives as there can be, so none can follow')
    invariant(generation >= this.#buried, 'nothing is written into a life that is over')
    const deleted = change.deleted ?? shown?.deleted ?? false
    const rank = { generation, deleted }
    invariant(shown === undefined || compareRanks(rank, shown) >= 0, 'a write may not be beaten by what it saw')
    const superseded = change.supersedes ?? (shown === undefined ? [] : [shown.dot])
    const versions = versionsOf(this.#entries)
      // what the write saw has an earlier stamp, but for a forged one that no stamp can follow
      .filter(({ dot, hlc }) => hlc < this.#hlc && !superseded.some(other => compareDots(dot, other) === 0))
      .slice(0, CONFLICT_VERSIONS_MAX)
    const elements = this.#entries.filter(entry => !isVersion(entry))
    const carried = inForce(elements, rank).length === elements.length ? [] : elements.filter(change.carry ?? none)
    this.#entries = [...versions, ...inForce(elements, rank)]
    this.#push(rank, VERSION_FIELD, '', change.value, shown?.extra)
    // Ascending, so that the new dots preserve the order of concurrent elements of one key.
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
    const actor = actorInLife(this.#actor, rank.generation)
    const counter = (this.#context.get(actor) ?? 0) + 1
    this.#context.set(actor, counter)
    const entry: Entry = {
      dot: { actor, counter },
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

/** The rank of the shown version: elements need at least this rank to be in force. */
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
