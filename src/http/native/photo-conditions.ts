import type { FastifyRequest } from 'fastify'
import type { Precondition } from '../../photos/photo-types.js'
import { Preconditions } from '../wire/preconditions.js'

/** What the ETag of metadata has behind it where other photos' records are part of the answer: see `linkedEtag`. */
const LINKED_SUFFIX = /\.[0-9a-f]{8}"$/

/** The condition of a request under which a photo may be changed: one on its bytes, as GET and HEAD show them. */
export function conditionOf({ method, headers }: FastifyRequest): Precondition {
  const conditions = new Preconditions(method, headers)
  return current => void conditions.check(current)
}

/** One on its metadata. Similar photos are found while somebody edits: an edit does not conflict with those. */
export function metaConditionOf({ method, headers }: FastifyRequest): Precondition {
  const conditions = new Preconditions(method, headers, tag => tag.replace(LINKED_SUFFIX, '"'))
  return current => void conditions.check(current)
}
