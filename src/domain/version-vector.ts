import type { ActorId } from './ids.js'

declare const brand: unique symbol

/**
 * An actor in one life of a record. In life 0, which nearly all records never leave, it is the actor's own id; in life
 * n ≥ 1 it is that id followed by n as 8 lower-case hex digits. Each actor counts its dots in each life from 1, so a life
 * can be dropped with its part of the context, and no later dot is ever taken for one of it.
 */
export type LifeActor = ActorId | (string & { readonly [brand]: 'LifeActor' })

/** No actor counts as far; a peer may claim any dot, but none behind which there is no next one. */
export const COUNTER_MAX = 2 ** 48
/** Bytes of the life behind the actor's own id. */
export const LIFE_BYTES = 4
const ACTOR_CHARACTERS = 16

/** One entry of one actor: its `counter`-th in that life of that record, from 1. */
export interface Dot {
  readonly actor: LifeActor
  readonly counter: number
}

/** The dots that a replica has seen: 1…counter of each actor in each life, without gaps; of an absent actor none. */
export type VersionVector = ReadonlyMap<LifeActor, number>

/** @param life - 0…2³²−1: the generation of the entries that are written */
export function actorInLife(actor: ActorId, life: number): LifeActor {
  if (life === 0) return actor
  return `${actor}${life.toString(16).padStart(2 * LIFE_BYTES, '0')}` as LifeActor
}

export function lifeOf(actor: LifeActor): number {
  return actor.length === ACTOR_CHARACTERS ? 0 : Number.parseInt(actor.slice(ACTOR_CHARACTERS), 16)
}

export function covers(vector: VersionVector, dot: Dot): boolean {
  return dot.counter <= (vector.get(dot.actor) ?? 0)
}

/** @returns the least vector that dominates both; one of them itself if it already does */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b || dominates(a, b)) return a
  const joined = new Map(a)
  for (const [actor, counter] of b) if (counter > (joined.get(actor) ?? 0)) joined.set(actor, counter)
  return joined
}

/** @returns the vector without the lives below `life`; itself if it has none of them */
export function withoutLivesBelow(vector: VersionVector, life: number): VersionVector {
  if (life === 0 || [...vector.keys()].every(actor => lifeOf(actor) >= life)) return vector
  return new Map([...vector].filter(([actor]) => lifeOf(actor) >= life))
}

/** @returns whether `a` has seen all that `b` has; true for equal vectors */
export function dominates(a: VersionVector, b: VersionVector): boolean {
  for (const [actor, counter] of b) if (counter > (a.get(actor) ?? 0)) return false
  return true
}

/** Total order of actors in lives: those of life 0 first, then by id and life. It is the order of the encoding. */
export function compareActors(a: LifeActor, b: LifeActor): number {
  if (a.length !== b.length) return a.length - b.length
  return a === b ? 0 : a < b ? -1 : 1
}

/** Total order of dots: by actor, then by counter. */
export function compareDots(a: Dot, b: Dot): number {
  return compareActors(a.actor, b.actor) || a.counter - b.counter
}
