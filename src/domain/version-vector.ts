import type { ActorId } from './ids.js'

/** Identifies an entry: the `counter`-th of the actor in that record, from 1. */
export interface Dot {
  readonly actor: ActorId
  readonly counter: number
}

/** The dots that a replica has seen: 1…counter of each actor, without gaps; none of an absent actor. */
export type VersionVector = ReadonlyMap<ActorId, number>

export function covers(vector: VersionVector, dot: Dot): boolean {
  return dot.counter <= (vector.get(dot.actor) ?? 0)
}

/** @returns the least vector that dominates both; the argument itself if it already does */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b || dominates(a, b)) return a
  const joined = new Map(a)
  for (const [actor, counter] of b) if (counter > (joined.get(actor) ?? 0)) joined.set(actor, counter)
  return joined
}

/** @returns whether `a` has seen all that `b` has; true for equal vectors */
export function dominates(a: VersionVector, b: VersionVector): boolean {
  for (const [actor, counter] of b) if (counter > (a.get(actor) ?? 0)) return false
  return true
}

/** Total order of dots: by actor, then by counter. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1
  return a.counter - b.counter
}
