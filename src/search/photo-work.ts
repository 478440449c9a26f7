import { setMaxListeners } from 'node:events'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { rendezvous } from '../domain/rendezvous.js'

/** Photos that may wait in a lane; a scan of the directory finds the rest. */
export const WAITING_MAX = 10_000
/** How long to wait for each node that ranks before this one for a photo. */
const RANK_DELAY_MS = 60_000
/** Wait for missing bytes, or after a failure that is not the photo's fault; doubles each time. */
const RETRY_MS = 2_000
const RETRY_MS_MAX = 10 * 60_000
/** Photos ranked again in one go, after a node has left: about a millisecond. */
const RANKED_AGAIN_MAX = 200

export interface PhotoWorkComponents {
  readonly directory: Pick<Directory, 'getSync' | 'isOpaque' | 'state'>
  /** Nodes that share the work: this one and all live peers. */
  readonly workers: () => readonly NodeId[]
  readonly self: NodeId
  /** Whether a node has a tool that not every node has; default: none has any. */
  readonly hasTool?: (node: NodeId, tool: string) => boolean
  readonly clock: Clock
  readonly log: Logger
}

export interface PhotoWorkInit {
  /** Logged when it fails. */
  readonly failed: string
  readonly isUndone: (photo: Photo) => boolean
  /** The tool that the work takes; nodes that have it come before those that only find that they lack it. Default: none. */
  readonly needs?: (photo: Photo) => string | undefined
  /** @returns `later`: its bytes are not in reach */
  readonly work: (id: PhotoId, signal: AbortSignal) => Promise<'done' | 'later'>
  /** Photos worked on concurrently. */
  readonly concurrency: () => number
  /** Called when `startDue` has something to do. */
  readonly wake: () => void
  /** Called when a photo found no room. */
  readonly onFull: () => void
}

/** New photos go first. */
export type Lane = 'new' | 'old'

interface Waiting {
  readonly sinceMs: number
  /** Given to other nodes in any case, before those that rank before this one. */
  readonly turns: number
  readonly needs: string | undefined
  /** Failures so far; after one the photo is this node's, whatever its rank. */
  readonly failures: number
  /** Monotonic ms. */
  dueMs: number
}

/**
 * One kind of work on photos, that some node of the cluster has to do once for each. Rendezvous hashing ranks the nodes for
 * each photo: the first does it at once, the next ones only if it is still not done after a while, or when those before them
 * have left. So a node that dies half way, or cannot do it, blocks nothing. Doing it twice is harmless.
 */
export class PhotoWork {
  readonly #components: PhotoWorkComponents
  readonly #init: PhotoWorkInit
  readonly #lanes: Readonly<Record<Lane, Map<PhotoId, Waiting>>> = { new: new Map(), old: new Map() }
  readonly #inFlight = new Map<PhotoId, Promise<void>>()
  readonly #abort = new AbortController()
  #ranked: ReadonlySet<NodeId> = new Set()
  /** To be ranked again, since a node has left. */
  #outranked: PhotoId[] = []

  constructor(components: PhotoWorkComponents, init: PhotoWorkInit) {
    this.#components = components
    this.#init = init
    setMaxListeners(0, this.#abort.signal) // everything in flight listens
  }

  /** Photos that wait in a lane. */
  waiting(lane: Lane): number {
    return this.#lanes[lane].size
  }

  /**
   * Call for every record that has changed or was found: the photo waits its turn if it is undone.
   *
   * @param turns - of other nodes, that come before all that rank before this one; `mine`: this node is the first
   */
  take(record: DirectoryRecord, lane: Lane, turns: number | 'mine' = 0): void {
    const photo = viewPhoto(record)
    const { id } = photo
    if (!this.#init.isUndone(photo)) {
      for (const queue of Object.values(this.#lanes)) queue.delete(id)
      return
    }
    if (this.#lanes.new.has(id) || this.#lanes.old.has(id) || this.#inFlight.has(id)) return
    if (this.#lanes[lane].size >= WAITING_MAX) {
      this.#init.onFull()
      return
    }
    const sinceMs = this.#components.clock.monotonic()
    const needs = this.#init.needs?.(photo)
    const before = turns === 'mine' ? 0 : turns + this.#rank(id, needs)
    this.#lanes[lane].set(id, {
      sinceMs,
      turns: turns === 'mine' ? 0 : turns,
      needs,
      failures: 0,
      dueMs: sinceMs + before * RANK_DELAY_MS
    })
    if (before === 0) this.#init.wake()
  }

  /** Starts what is due, as far as there is room. */
  startDue(now: number): void {
    this.#rankAgain()
    for (const queue of Object.values(this.#lanes)) {
      for (const [id, waiting] of queue) {
        if (this.#inFlight.size >= this.#init.concurrency()) return
        if (waiting.dueMs <= now) this.#start(id, waiting)
      }
    }
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    await Promise.all(this.#inFlight.values())
  }

  // --- whose turn it is ---

  #rank(id: PhotoId, tool: string | undefined): number {
    const { workers, self, hasTool = () => false } = this.#components
    const all = workers()
    const able = tool === undefined ? all : all.filter(node => hasTool(node, tool))
    const ranked = rendezvous(id, able.length > 0 ? able : all)
    const rank = ranked.indexOf(self)
    return rank === -1 ? ranked.length : rank
  }

  /** Nobody waits for a node that has left. */
  #rankAgain(): void {
    const workers = new Set(this.#components.workers())
    if ([...this.#ranked].some(node => !workers.has(node)))
      this.#outranked = Object.values(this.#lanes).flatMap(queue => [...queue.keys()])
    this.#ranked = workers
    for (const id of this.#outranked.splice(0, RANKED_AGAIN_MAX)) {
      const waiting = this.#lanes.new.get(id) ?? this.#lanes.old.get(id)
      if (waiting === undefined || waiting.failures > 0) continue
      waiting.dueMs = Math.min(
        waiting.dueMs,
        waiting.sinceMs + (waiting.turns + this.#rank(id, waiting.needs)) * RANK_DELAY_MS
      )
    }
    if (this.#outranked.length > 0) this.#init.wake()
  }

  // --- doing it ---

  #start(id: PhotoId, { failures, needs }: Waiting): void {
    for (const queue of Object.values(this.#lanes)) queue.delete(id)
    const { signal } = this.#abort
    const task = this.#init
      .work(id, signal)
      // changes meanwhile were not taken
      .then(outcome => outcome === 'later' || this.#isStillUndone(id))
      .catch(err => {
        if (signal.aborted) return false
        this.#components.log.warn({ err, photo: id }, this.#init.failed)
        return true
      })
      .then(isUndone => {
        this.#inFlight.delete(id)
        if (isUndone) this.#retryLater(id, needs, failures)
        this.#init.wake()
      })
    this.#inFlight.set(id, task)
  }

  #isStillUndone(id: PhotoId): boolean {
    const { directory } = this.#components
    const key = { kind: PHOTO_KIND, id }
    if (directory.state !== 'open' || directory.isOpaque(key)) return false
    const stored = directory.getSync(key)
    return stored !== undefined && this.#init.isUndone(viewPhoto(stored.record))
  }

  #retryLater(id: PhotoId, needs: string | undefined, failures: number): void {
    const sinceMs = this.#components.clock.monotonic()
    const pauseMs = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX)
    this.#lanes.old.set(id, { sinceMs, turns: 0, needs, failures: failures + 1, dueMs: sinceMs + pauseMs })
  }
}
