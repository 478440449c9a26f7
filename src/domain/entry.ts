/*
 * Entries: what records are made of, and their two orders. Versions are ordered by what they mean (which one is
 * shown), contents under one dot by what they are (which one is kept when there should be only one).
 */
import { sameValue, type Value } from './cbor.js'
import { encodeValue } from './cbor-writer.js'
import type { Hlc } from './hlc.js'
import { compareDots, type Dot } from './version-vector.js'

/** Fields of later versions of Sheaf, by number: not understood, but kept through merges and writes. */
export type UnknownFields = ReadonlyMap<number, Value>

export interface Entry {
  readonly dot: Dot
  /** Of the write that made the entry: greater than all stamps that it saw. */
  readonly hlc: Hlc
  /** 0…2³²−1. */
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

/** Total order (generation, deleted, hlc, actor); the counter only decides between entries of one write. */
export function compareVersions(a: Entry, b: Entry): number {
  return compareRanks(a, b) || compareStamps(a.hlc, b.hlc) || compareDots(a.dot, b.dot)
}

/** What a delete or undelete raises: (generation, deleted). */
export type Rank = Pick<Entry, 'generation' | 'deleted'>

export function compareRanks(a: Rank, b: Rank): number {
  return a.generation - b.generation || Number(a.deleted) - Number(b.deleted)
}

/** @returns the greatest by `compareVersions` of those that `accept` takes */
export function greatestEntry(entries: readonly Entry[], accept: (entry: Entry) => boolean): Entry | undefined {
  let greatest: Entry | undefined
  for (const entry of entries) {
    if (accept(entry) && (greatest === undefined || compareVersions(entry, greatest) > 0)) greatest = entry
  }
  return greatest
}

/**
 * Which of two contents under one dot is kept: the greater canonical bytes, so that all nodes keep the same. A dot is
 * never used twice, so two contents are a defect: of a node that wrote on with the same actor after a write whose
 * outcome it does not know. (It cannot be mended here: what the lost content superseded is gone, too.)
 */
export function greaterContent(a: Entry, b: Entry): Entry {
  return a === b || sameContent(a, b) || Buffer.compare(contentBytes(a), contentBytes(b)) >= 0 ? a : b
}

/** The usual case, without the cost of two encodings. */
function sameContent(a: Entry, b: Entry): boolean {
  const same = a.hlc === b.hlc && a.deleted === b.deleted && a.generation === b.generation
  if (!same || a.field !== b.field || a.key !== b.key) return false
  return a.extra === undefined && b.extra === undefined && sameValue(a.value, b.value)
}

function contentBytes({ hlc, generation, deleted, field, key, value, extra }: Entry): Uint8Array {
  const unknown = [...(extra ?? [])].sort(([a], [b]) => a - b)
  return encodeValue([hlc, generation, deleted, field, key, value, unknown])
}

function compareStamps(a: Hlc, b: Hlc): number {
  return a === b ? 0 : a < b ? -1 : 1
}
