import { isDeleted, type Rank } from './photo-rules.js'

/*
 * What one client may be shown of a photo by one node within one life of its process: its own writes, and never less than
 * it was shown before. By vector clock and rank, since stamps say nothing about what a node had merged.
 */

/** Counters by actor, as a version says them. */
export type Clock = Readonly<Record<string, number>>

/** What an answer shows of a photo. */
export interface Sighting {
  readonly deleted: boolean
  /** Undefined: not told. */
  readonly generation: number | undefined
  /** Undefined: not told. */
  readonly clock: Clock | undefined
}

/** The least that may be shown from now on. */
export interface Floor {
  readonly rank: Rank
  readonly clock: Clock
}

/** Where a photo is known, and nothing more. */
const KNOWN: Floor = { rank: 0, clock: {} }

/**
 * @param floor - as it was when the request began; undefined: nothing was shown before
 * @param seen - undefined: the node does not know the photo
 * @returns what is wrong, in words
 */
export function judgeSighting(floor: Floor | undefined, seen: Sighting | undefined): string | undefined {
  if (floor === undefined) return undefined
  if (seen === undefined) return 'it is unknown where it was known before'
  if (seen.deleted || seen.generation === undefined) return undefined
  const rank = seen.generation * 2
  if (rank < floor.rank) return `it lives at rank ${rank}, after rank ${floor.rank} was seen`
  if (rank > floor.rank || seen.clock === undefined) return undefined
  const { clock } = seen
  const missing = Object.entries(floor.clock).filter(([actor, counter]) => (clock[actor] ?? 0) < counter)
  if (missing.length === 0) return undefined
  return `its clock is ${JSON.stringify(clock)}, after ${JSON.stringify(floor.clock)} was seen`
}

/**
 * Holds a list of all photos of a node against what the node had shown of one of them before.
 *
 * @param floor - as it was when the request began
 * @param mayBeDeleted - whether somebody may have deleted the photo by the time of the answer
 * @param mayBeUndeleted - or taken that back
 * @returns what is wrong, in words
 */
export function judgeListing(
  floor: Floor,
  isListed: boolean,
  { mayBeDeleted, mayBeUndeleted }: { readonly mayBeDeleted: boolean; readonly mayBeUndeleted: boolean }
): string | undefined {
  if (!isListed && !mayBeDeleted) return 'it is not listed where it was known before, and nobody has deleted it'
  if (isListed && isDeleted(floor.rank) && !mayBeUndeleted) return 'it is listed where it was deleted before'
  return undefined
}

/**
 * @param before - the floor as it was when the request began: what others saw meanwhile may have come about later
 * @returns the least that may be shown after an answer was seen
 */
export function floorAfter(before: Floor | undefined, seen: Sighting): Floor {
  const { rank, clock } = before ?? KNOWN
  const next = rankSeen(rank, seen)
  if (next < rank) return { rank, clock }
  return joinFloors({ rank: next, clock: seen.clock ?? {} }, next === rank ? { rank, clock } : undefined)
}

/** @returns what both demand; clocks are of one life, so that of the later one counts */
export function joinFloors(a: Floor, b: Floor | undefined): Floor {
  if (b === undefined || a.rank > b.rank) return a
  if (a.rank < b.rank) return b
  const clock: Record<string, number> = { ...a.clock }
  for (const [actor, counter] of Object.entries(b.clock)) clock[actor] = Math.max(clock[actor] ?? 0, counter)
  return { rank: a.rank, clock }
}

/** The least rank that shows so. */
function rankSeen(rank: Rank, { deleted, generation }: Sighting): Rank {
  if (generation !== undefined) return generation * 2 + Number(deleted)
  return isDeleted(rank) === deleted ? rank : rank + 1
}
