/*
 * Entries, the parts of a record, and their two orders. The order of versions decides which one is shown; the order of
 * contents decides which of two is kept under the same dot, where there should be only one.
 */
import { sameValue, type Value } from './cbor.js'
import { CborWriter } from './cbor-writer.js'
import type { Hlc } from './hlc.js'
import { compareDots, type Dot } from './version-vector.js'

/** Fields of later versions of Sheaf, by number: not understood, but kept through merges and writes. */
export type UnknownFields = ReadonlyMap<number, Value>

export interface Entry {
  readonly dot: Dot
  /** Stamp of the write that made the entry: greater than every stamp that the write had seen. */
  readonly hlc: Hlc
  /** 0…GENERATION_MAX. */
  readonly generation: number
  readonly deleted: boolean
  /** VERSION_FIELD, or the name of a set or map: 'tags', 'albums', 'variants', 'facts', 'shares', … */
  readonly field: string
  /** The element of the set or the key of the map; empty for versions. */
  readonly key: string
  readonly value: ReadonlyMap<string, Value>
  readonly extra?: UnknownFields
}

export const VERSION_FIELD = 'version'
/** Lives of a record; nobody undeletes a photo a million times. */
export const GENERATION_MAX = 2 ** 20

/** Total order (generation, deleted, hlc, actor, counter); the counter matters only between entries of one write. */
export function compareVersions(a: Entry, b: Entry): number {
  return compareRanks(a, b) || compareStamps(a.hlc, b.hlc) || compareDots(a.dot, b.dot)
}

/** What a delete or undelete raises: (generation, deleted). */
export type Rank = Pick<Entry, 'generation' | 'deleted'>

export function compareRanks(a: Rank, b: Rank): number {
  return a.generation - b.generation || Number(a.deleted) - Number(b.deleted)
}

/** @returns the greatest entry, by `compareVersions`, that `accept` returns true for */
export function greatestEntry(entries: readonly Entry[], accept: (entry: Entry) => boolean): Entry | undefined {
  let greatest: Entry | undefined
  for (const entry of entries) {
    if (accept(entry) && (greatest === undefined || compareVersions(entry, greatest) > 0)) greatest = entry
  }
  return greatest
}

/**
 * Which of two contents under one dot is kept: the one with the greater canonical bytes, so that all nodes choose the
 * same. A dot is never reused, so two contents mean a bug: a node kept its actor after a write with an unknown outcome.
 * The merge cannot repair that: what the discarded content superseded is gone as well.
 */
export function greaterContent(a: Entry, b: Entry): Entry {
  return a === b || sameContent(a, b) || Buffer.compare(contentBytes(a), contentBytes(b)) >= 0 ? a : b
}

/** Saves the two encodings in the usual case. */
function sameContent(a: Entry, b: Entry): boolean {
  const same = a.hlc === b.hlc && a.deleted === b.deleted && a.generation === b.generation
  if (!same || a.field !== b.field || a.key !== b.key) return false
  return a.extra === undefined && b.extra === undefined && sameValue(a.value, b.value)
}

function contentBytes({ hlc, generation, deleted, field, key, value, extra }: Entry): Uint8Array {
  const unknown = [...(extra ?? [])].sort(([a], [b]) => a - b)
  const writer = new CborWriter()
  // each item as deep as it may be in a record
  for (const item of [hlc, generation, deleted, field, key, value]) writer.value(item)
  writer.arrayHead(unknown.length)
  for (const pair of unknown) for (const item of pair) writer.value(item)
  return writer.finish()
}

function compareStamps(a: Hlc, b: Hlc): number {
  return a === b ? 0 : a < b ? -1 : 1
}
