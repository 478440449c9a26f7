import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Progress } from '../../core/progress.js'
import type { Random } from '../../core/random.js'
import type { RecordChange } from '../../directory/batch-plan.js'
import type { Directory } from '../../directory/directory.js'
import { type PhotoAudience, photoAudience } from '../../domain/audience.js'
import { type ActorId, type NodeId, newActorId, type PhotoId, parsePhotoId, type UserId } from '../../domain/ids.js'
import { PHOTO_KIND } from '../../domain/photo.js'
import { conflictVersions, type DirectoryRecord, isLive } from '../../domain/record.js'
import { photoOf } from '../../domain/terms.js'

/** Events kept for clients to resume; all followers share them. */
const EVENTS_MAX = 10_000
const FOLLOWERS_MAX = 256
/** Events in one step. */
const BATCH_MAX = 256
/** A follower gets a step at least this often. */
const QUIET_MS_MAX = 15_000
const WAKE_MS = 10
/** A follower of bursts gets a step no more often. */
const BURST_MS = 250
const EVENT_ID = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/

export type PhotoEventType = 'photo.uploaded' | 'photo.updated' | 'photo.deleted' | 'photo.conflict'
export type NodeEventType = 'member.up' | 'member.down' | 'repair.done'

/** Long work of this node, as far as followers hear of it. */
export interface JobNews {
  readonly id: string
  readonly kind: string
  /** Who began it; undefined: nobody who has an account. */
  readonly owner: UserId | undefined
  readonly state: string
  readonly progress: Progress | undefined
}

/** How far the index of this node is. */
export interface IndexNews {
  /** Photos whose vectors are here. */
  readonly vectors: number
  /** Photos that no node has looked at, plus those whose vectors are still missing here. */
  readonly pending: number
}

/** Something that happened to a photo. */
export interface PhotoEvent {
  readonly id: string
  readonly type: PhotoEventType
  readonly photoId: PhotoId
  readonly atMs: number
  /** Whose it was before, and is now, as far as it was or is there. */
  readonly before: PhotoAudience | undefined
  readonly after: PhotoAudience | undefined
}

/** An event in the cluster, with the time at which this node learned of it. */
export type ClusterEvent =
  | PhotoEvent
  | { readonly id: string; readonly type: NodeEventType; readonly nodeId: NodeId; readonly atMs: number }
  | { readonly id: string; readonly type: 'job.progress'; readonly job: JobNews; readonly atMs: number }
  | { readonly id: string; readonly type: 'index.progress'; readonly index: IndexNews; readonly atMs: number }

/**
 * A step of a follower. The first is `start` or `reset`, then the others follow.
 *
 * - `start`: all events after `id` follow
 * - `reset`: the same, but events before `id` were lost to this follower: it has to reload its whole state
 * - `events`: 1…256 of them, oldest first; for a follower of bursts, all there are
 * - `quiet`: nothing happened for 15 s
 */
export type EventStep =
  | { readonly kind: 'start' | 'reset'; readonly id: string }
  | { readonly kind: 'events'; readonly events: readonly ClusterEvent[] }
  | { readonly kind: 'quiet' }

export interface EventsComponents {
  readonly directory: Pick<Directory, 'state' | 'onChange'>
  readonly clock: Clock
  readonly random: Random
}

/**
 * The events of the cluster, for clients that follow them: changes to photos by any node, as they reach this node's
 * directory, and events of membership and repair.
 *
 * All followers read one ring buffer, each at its own pace; a follower that the ring has overtaken is reset. An event id is
 * a random epoch of this process and a count, so that ids of another node or an earlier process are recognized.
 */
export class Events implements Startable {
  readonly #directory: EventsComponents['directory']
  readonly #clock: Clock
  readonly #epoch: ActorId
  /** Event number n stands at n mod EVENTS_MAX; numbers begin at 1. */
  readonly #ring: ClusterEvent[] = []
  #last = 0
  /** Events up to this number are no longer available. */
  #lastExpired = 0
  #followers = 0
  /** Each called once, at the next event or at `stop`. */
  readonly #waiting = new Set<() => void>()
  #cancelWake: (() => void) | undefined
  /** The directory is being rebuilt, and followers were reset. */
  #isRebuilding = false
  #unsubscribe: (() => void) | undefined
  #stopped = false

  constructor(components: EventsComponents) {
    this.#directory = components.directory
    this.#clock = components.clock
    this.#epoch = newActorId(components.random)
  }

  async start(): Promise<void> {
    this.#unsubscribe ??= this.#directory.onChange(changes => this.#noteChanges(changes))
  }

  /** Ends all followers. To be called before the HTTP server stops, which waits for its responses to end. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#stopped = true
    this.#wake()
  }

  /** Adds an event of a node. */
  note(type: NodeEventType, nodeId: NodeId): void {
    this.#add({ id: this.#nextId(), type, nodeId, atMs: this.#clock.now() })
  }

  /** Adds how far a job of this node is. */
  noteJob({ id, kind, owner, state, progress }: JobNews): void {
    const job = { id, kind, owner, state, progress }
    this.#add({ id: this.#nextId(), type: 'job.progress', job, atMs: this.#clock.now() })
  }

  /** Adds how far the index of this node is. */
  noteIndex(index: IndexNews): void {
    this.#add({ id: this.#nextId(), type: 'index.progress', index, atMs: this.#clock.now() })
  }

  /**
   * @param shown - gives an event as it is told; undefined: it is not
   * @returns what happened to photos and members last, newest first; how far jobs and the index are is told elsewhere
   */
  recent(limit: number, shown: (event: ClusterEvent) => ClusterEvent | undefined): ClusterEvent[] {
    const events: ClusterEvent[] = []
    for (let number = this.#last; number > this.#lastExpired && events.length < limit; number--) {
      const event = shown(this.#ring[number % EVENTS_MAX] as ClusterEvent)
      if (event !== undefined && !isProgress(event)) events.push(event)
    }
    return events
  }

  /**
   * @param lastEventId - the id of the last event that the follower saw; undefined: begin with new events
   * @param signal - ends the steps without an error
   * @param options.inBursts - events that follow another within 250 ms wait, and come as one step
   * @returns steps until the signal or `stop`; also ends after the reset of a follower that was too slow, which may follow
   * again
   * @throws `ERR_OVERLOADED`, `ERR_STOPPING`, both before the first step
   */
  async *follow(
    lastEventId: string | undefined,
    signal: AbortSignal,
    { inBursts = false }: { readonly inBursts?: boolean } = {}
  ): AsyncGenerator<EventStep, void> {
    if (this.#stopped) throw new SheafError('ERR_STOPPING')
    if (this.#followers >= FOLLOWERS_MAX)
      throw new SheafError(
        'ERR_OVERLOADED',
        'too many clients follow the events of this node; try again later or use another node'
      )
    this.#followers++
    try {
      const resumePoint = lastEventId === undefined ? this.#last : this.#numberOf(lastEventId)
      let position = resumePoint ?? this.#last
      yield { kind: resumePoint === undefined ? 'reset' : 'start', id: this.#idOf(position) }
      while (!signal.aborted && !this.#stopped) {
        if (position < this.#lastExpired) {
          yield { kind: 'reset', id: this.#idOf(this.#last) }
          return
        }
        const events = this.#after(position, inBursts ? EVENTS_MAX : BATCH_MAX)
        position += events.length
        if (events.length > 0) {
          yield { kind: 'events', events }
          if (inBursts) await this.#clock.sleep(BURST_MS, signal).catch(() => {})
        } else if (!(await this.#waitForEvent(signal))) yield { kind: 'quiet' }
      }
    } finally {
      this.#followers--
    }
  }

  #noteChanges(changes: readonly RecordChange[]): void {
    if (this.#directory.state !== 'open') {
      this.#invalidate()
      return
    }
    this.#isRebuilding = false
    for (const change of changes) {
      const types = photoEventTypes(change)
      const photoId = parsePhotoId(change.key.id)
      if (photoId === undefined) continue
      const [before, after] = [audienceOf(change.before), audienceOf(change.after)]
      for (const type of types) this.#add({ id: this.#nextId(), type, photoId, atMs: this.#clock.now(), before, after })
    }
  }

  /**
   * The directory is being rebuilt from the log. Its changes may be old or new, so all followers are reset; they can reload
   * their state once the directory is complete.
   */
  #invalidate(): void {
    if (this.#isRebuilding) return
    this.#isRebuilding = true
    // A number without an event, so that every follower is behind.
    this.#last++
    this.#lastExpired = this.#last
    this.#wakeSoon()
  }

  #add(event: ClusterEvent): void {
    this.#last++
    this.#ring[this.#last % EVENTS_MAX] = event
    this.#lastExpired = Math.max(this.#lastExpired, this.#last - EVENTS_MAX)
    this.#wakeSoon()
  }

  /** @returns the events after number `position`, the first of them */
  #after(position: number, countMax: number): ClusterEvent[] {
    const count = Math.min(this.#last - position, countMax)
    return Array.from({ length: count }, (_, i) => this.#ring[(position + 1 + i) % EVENTS_MAX] as ClusterEvent)
  }

  #nextId(): string {
    return this.#idOf(this.#last + 1)
  }

  #idOf(number: number): string {
    return `${this.#epoch}-${number}`
  }

  /** @returns undefined for an id that is not of this process, or so old that events after it are no longer available */
  #numberOf(id: string): number | undefined {
    const [, epoch, digits] = EVENT_ID.exec(id) ?? []
    const number = Number(digits)
    return epoch === this.#epoch && number >= this.#lastExpired && number <= this.#last ? number : undefined
  }

  /** Wakes the followers once for all events of a short while. */
  #wakeSoon(): void {
    if (this.#waiting.size > 0) this.#cancelWake ??= this.#clock.schedule(WAKE_MS, () => this.#wake())
  }

  #wake(): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    for (const wake of [...this.#waiting]) wake()
  }

  /** @returns true at an event, at the signal and at `stop`; false when nothing happened for QUIET_MS_MAX */
  #waitForEvent(signal: AbortSignal): Promise<boolean> {
    return new Promise(resolve => {
      const end = (isAwake: boolean): void => {
        cancelQuiet()
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve(isAwake)
      }
      const wake = (): void => end(true)
      const cancelQuiet = this.#clock.schedule(QUIET_MS_MAX, () => end(false))
      signal.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
    })
  }
}

function audienceOf(record: DirectoryRecord | undefined): PhotoAudience | undefined {
  const photo = record && photoOf(record)
  return photo && photoAudience(photo)
}

function isProgress({ type }: ClusterEvent): boolean {
  return type === 'job.progress' || type === 'index.progress'
}

/** @returns the events of a change in terms of live photos; none when these do not change */
function photoEventTypes({ key, before, after }: RecordChange): readonly PhotoEventType[] {
  if (key.kind !== PHOTO_KIND) return []
  const wasLive = before !== undefined && isLive(before)
  if (after === undefined || !isLive(after)) return wasLive ? ['photo.deleted'] : []
  const type = wasLive ? 'photo.updated' : 'photo.uploaded'
  return hasConflicts(after) && !(before !== undefined && hasConflicts(before)) ? [type, 'photo.conflict'] : [type]
}

function hasConflicts(record: DirectoryRecord): boolean {
  return conflictVersions(record).length > 0
}
