import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { viewLooks } from '../domain/findings.js'
import type { PhotoId } from '../domain/ids.js'
import {
  ALONE,
  isSamePair,
  mayBePaired,
  type Pair,
  pairChange,
  pairOf,
  pairsAmong,
  pairTerms
} from '../domain/pairs.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { mediaOf } from '../domain/photo-facts.js'
import { kindOf } from '../domain/photo-kind.js'
import type { DirectoryRecord } from '../domain/record.js'
import { photoOf } from '../domain/terms.js'
import type { RecordWriter } from '../store/record-writer.js'

/** Terms that may wait; when more have changed, the newest photos are looked at again. */
const WAITING_MAX = 10_000
/** Photos that are looked at after a start, and after too much had changed: what waited then is not known. */
const NEWEST = 1_000
const PAGE = 100
/** Photos with a term that are looked at: of more, nobody knows which belong together. */
const SAME_TERM_MAX = 8
/** A photo that comes is seen otherwise once its head is read: both are looked at together. */
const SETTLE_MS = 1_000
/** How long each node that ranks before this one has for it. */
const RANK_DELAY_MS = 60_000
/** After a failure, and while a new index is made. */
const RETRY_MS = 30_000
const IDLE_MS = 1_000

export interface PairingComponents {
  readonly directory: Pick<Directory, 'query' | 'newestWith' | 'onChange' | 'state'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** @returns how many live nodes come before this one for a term; default: it is alone */
  readonly rank?: (term: string) => number
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Finds what belongs together (pairs.ts) and writes that into the records: when a photo that has a term in common with others comes,
 * goes, or is seen otherwise than before, all with that term are looked at. Every node comes to the same; the first in the ranking for a
 * term writes, the others look later whether it has.
 */
export class Pairing implements Startable {
  readonly #components: PairingComponents
  readonly #loop: WorkerLoop
  /** Terms, and when they are due, monotonic ms. */
  readonly #waiting = new Map<string, number>()
  #unsubscribe: (() => void) | undefined
  /** Where the look at the newest photos has got to; undefined: it is over. */
  #newest: { readonly cursor: string | undefined; readonly left: number } | undefined

  constructor(components: PairingComponents) {
    this.#components = components
    const { clock, log } = components
    this.#loop = new WorkerLoop({ clock, log }, { name: 'pairing', idleMs: IDLE_MS, step: () => this.#step() })
  }

  async start(): Promise<void> {
    this.#newest = { cursor: undefined, left: NEWEST }
    this.#unsubscribe = this.#components.directory.onChange(changes => {
      for (const { before, after } of changes) this.#note(before, after)
    })
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
  }

  #note(before: DirectoryRecord | undefined, after: DirectoryRecord | undefined): void {
    if ([before, after].every(record => record?.kind !== PHOTO_KIND || !mayBePaired(record))) return
    const [was, is] = [before && photoOf(before), after && photoOf(after)]
    if (evidenceOf(was) === evidenceOf(is)) return
    for (const photo of [was, is]) if (photo !== undefined) this.#await(photo)
  }

  #await(photo: Photo): void {
    const { clock, rank = () => 0 } = this.#components
    for (const term of pairTerms(photo)) {
      if (this.#waiting.size >= WAITING_MAX) {
        this.#newest ??= { cursor: undefined, left: NEWEST }
        return
      }
      const dueMs = clock.monotonic() + SETTLE_MS + rank(term) * RANK_DELAY_MS
      this.#waiting.set(term, Math.min(dueMs, this.#waiting.get(term) ?? Number.POSITIVE_INFINITY))
    }
  }

  async #step(): Promise<'busy' | 'idle'> {
    const { directory, clock } = this.#components
    if (directory.state !== 'open') return 'idle'
    const now = clock.monotonic()
    for (const [term, dueMs] of this.#waiting) {
      if (dueMs > now) continue
      this.#waiting.delete(term)
      try {
        await this.#lookAt(term)
      } catch (error) {
        // again, after the others
        this.#waiting.set(term, now + RETRY_MS)
        if (!hasCode(error, 'ERR_INDEX_BUILDING')) throw error
      }
      return 'busy'
    }
    return this.#lookAtNewest()
  }

  async #lookAtNewest(): Promise<'busy' | 'idle'> {
    if (this.#newest === undefined) return 'idle'
    const { cursor, left } = this.#newest
    const query = { terms: [], words: [], limit: PAGE, ...(cursor !== undefined && { cursor }) }
    const { records, nextCursor } = await this.#components.directory.query(query)
    for (const record of records) this.#note(undefined, record)
    const isOver = nextCursor === null || left <= PAGE
    this.#newest = isOver ? undefined : { cursor: nextCursor, left: left - PAGE }
    return 'busy'
  }

  async #lookAt(term: string): Promise<void> {
    const photos = new Map<PhotoId, Photo>()
    await this.#find(term, photos)
    const others = new Set([...photos.values()].flatMap(pairTerms))
    for (const other of others) if (other !== term) await this.#find(other, photos)
    const pairs = pairsAmong([...photos.values()])
    for (const photo of photos.values()) await this.#write(photo, pairs.get(photo.id) ?? ALONE)
  }

  async #find(term: string, photos: Map<PhotoId, Photo>): Promise<void> {
    const records = await this.#components.directory.newestWith(term, SAME_TERM_MAX)
    for (const photo of records.map(record => viewPhoto(record))) photos.set(photo.id, photo)
  }

  async #write(photo: Photo, pair: Pair): Promise<void> {
    if (isSamePair(pairOf(photo.record), pair)) return
    await this.#components.writer.edit(photo.id, (_, now) => {
      const isThere = !now.deleted && now.generation === photo.generation
      return isThere && !isSamePair(pairOf(now.record), pair) ? { changes: [pairChange(pair)] } : undefined
    })
  }
}

/** @returns what pairs are judged by, and what is said of them */
function evidenceOf(photo: Photo | undefined): string {
  if (photo === undefined || photo.deleted) return ''
  const { takenAt, owner, record } = photo
  const { durationS, liveId } = mediaOf(record)
  const when = takenAt && takenAt.source !== 'file' ? [takenAt.ms, takenAt.offsetMinutes, takenAt.source] : []
  return JSON.stringify([
    pairTerms(photo),
    owner,
    when,
    durationS,
    liveId,
    kindOf(photo),
    viewLooks(record).head !== undefined,
    pairOf(record)
  ])
}
