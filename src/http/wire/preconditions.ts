import type { IncomingHttpHeaders } from 'node:http'
import { SheafError } from '../../core/errors.js'
import { matchesStrongly, matchesWeakly, parseEntityTags } from './entity-tags.js'

/** What tells two states of a resource apart, as answers to GET show it. */
export interface Validators {
  readonly etag?: string | undefined
  /** Whole seconds count. */
  readonly lastModifiedMs?: number | undefined
}

type Tags = readonly string[] | '*'

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
/** IMF-fixdate and the two obsolete forms (RFC 9110, section 5.6.7): `Date.parse` takes many more. */
const HTTP_DATE =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} [\d:]{8} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})$/

/**
 * The conditions of a request: the only place that knows their meaning and order (RFC 9110, sections 13.1 and 13.2.2). A read
 * is held against what it would answer, a write against the state that it would change, in the step that changes it.
 */
export class Preconditions {
  readonly #isRead: boolean
  readonly #match: Tags | undefined
  readonly #noneMatch: Tags | undefined
  readonly #unmodifiedSinceMs: number | undefined
  readonly #modifiedSinceMs: number | undefined

  /**
   * @param tagOf - makes a tag that a client has seen into the one to compare
   * @throws `ERR_BAD_PARAMETER` for malformed tags, since a 412 would have clients try for ever. In a read, a malformed
   * If-None-Match only means that the client has nothing.
   */
  constructor(method: string, headers: IncomingHttpHeaders, tagOf: (tag: string) => string = tag => tag) {
    this.#isRead = READS.has(method)
    this.#match = tagsOf('If-Match', headers['if-match'], tagOf)
    const noneMatch = headers['if-none-match']
    const isUseless = this.#isRead && noneMatch !== undefined && parseEntityTags(noneMatch) === undefined
    this.#noneMatch = isUseless ? [] : tagsOf('If-None-Match', noneMatch, tagOf)
    this.#unmodifiedSinceMs = timeOf(headers['if-unmodified-since'])
    this.#modifiedSinceMs = timeOf(headers['if-modified-since'])
  }

  /**
   * @param current - undefined: there is nothing yet at this path
   * @returns whether a read should answer 304
   * @throws `ERR_PRECONDITION_FAILED`
   */
  check(current: Validators | undefined): boolean {
    const { etag, lastModifiedMs } = current ?? {}
    const modifiedMs = lastModifiedMs === undefined ? undefined : Math.floor(lastModifiedMs / 1_000) * 1_000
    if (this.#match !== undefined) {
      if (current === undefined || !matchesStrongly(this.#match, etag)) throw failed('If-Match')
    } else if (this.#unmodifiedSinceMs !== undefined && modifiedMs !== undefined) {
      if (modifiedMs > this.#unmodifiedSinceMs) throw failed('If-Unmodified-Since')
    }
    if (this.#noneMatch !== undefined) {
      if (current === undefined || !matchesWeakly(this.#noneMatch, etag)) return false
      if (this.#isRead) return true
      throw failed('If-None-Match')
    }
    return this.#isRead && modifiedMs !== undefined && modifiedMs <= (this.#modifiedSinceMs ?? Number.NEGATIVE_INFINITY)
  }
}

function tagsOf(name: string, header: string | undefined, tagOf: (tag: string) => string): Tags | undefined {
  if (header === undefined) return undefined
  const tags = parseEntityTags(header)
  if (tags === undefined) throw new SheafError('ERR_BAD_PARAMETER', `${name} is malformed: send quoted ETags or *`)
  return tags === '*' ? tags : tags.map(tagOf)
}

/** @returns undefined for what is no HTTP date: such a condition does not count */
function timeOf(header: string | undefined): number | undefined {
  if (header === undefined || !HTTP_DATE.test(header)) return undefined
  const ms = Date.parse(header.endsWith(' GMT') ? header : `${header} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}

function failed(name: string): SheafError {
  return new SheafError('ERR_PRECONDITION_FAILED', `${name} does not hold for the current state; read it again`)
}
