import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Random } from '../../core/random.js'
import type { RecordChange } from '../../directory/batch-plan.js'
import type { Directory } from '../../directory/directory.js'
import { greatestEntry, VERSION_FIELD } from '../../domain/entry.js'
import { type ActorId, type NodeId, newActorId, type PhotoId, parsePhotoId } from '../../domain/ids.js'
import { PHOTO_KIND } from '../../domain/photo.js'
import type { DirectoryRecord } from '../../domain/record.js'

/** Events that a client may have missed and still get; all followers together need no more memory than these. */
const EVENTS_MAX = 10_000
const FOLLOWERS_MAX = 256
/** Events handed to a follower at once. */
const BATCH_MAX = 256
/** A follower hears something at least so often. */
const QUIET_MS_MAX = 15_000
const WAKE_MS = 10
const EVENT_ID = /^([0-9a-f]{16})-(0|[1-9][0-9]{0,15})$/

export type PhotoEventType = 'photo.uploaded' | 'photo.updated' | 'photo.deleted'
export type NodeEventType = 'member.up' | 'member.down' | 'repair.done'

/** Something that happened in the cluster, as this node learnt of it. */
export type ClusterEvent =
  | { readonly id: string; readonly type: PhotoEventType; readonly photoId: PhotoId; readonly atMs: number }
  | { readonly id: string; readonly type: NodeEventType; readonly nodeId: NodeId; readonly atMs: number }

/**
 * What a follower gets, in this order: `start` or `reset`, then the others.
 *
 * - `start`: all that happens after `id` follows
 * - `reset`: the same, but what happened before `id` is lost to this follower, and it has to look at everything anew
 * - `events`: 1…256 of them, oldest first
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
 * What happens in the cluster, for clients that follow it: changes to photos, whoever made them, as they reach this
 * node's directory, and what the membership and repair report.
 *
 * Events stand in one ring that all followers read, each at its own pace; a follower that the ring has overtaken starts
 * again with a reset. Ids count within this process and begin with a random epoch, so that an id of another node or of
 * an earlier process is known for what it is.
 */
export class Events implements Startable {
  readonly #directory: EventsComponents['directory']
  readonly #clock: Clock
  readonly #epoch: ActorId
  /** Event number n stands at n mod EVENTS_MAX; numbers begin at 1. */
  readonly #ring: ClusterEvent[] = []
  #last = 0
  /** Events up to here cannot be had any more. */
  #lastExpired = 0
  #followers = 0
  /** Called once, when there is something new, or the end. */
  readonly #waiting = new Set<() => void>()
  #cancelWake: (() => void) | undefined
  /** The directory is being made again, and followers know. */
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

  /** Ends what followers read. Comes before the HTTP server stops, which waits for its answers to end. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#stopped = true
    this.#wake()
  }

  /** Notes what is no change of a photo. */
  note(type: NodeEventType, nodeId: NodeId): void {
    this.#add({ id: this.#nextId(), type, nodeId, atMs: this.#clock.now() })
  }

  /**
   * @param lastEventId - the id of the last event that the follower saw; undefined: it begins with what happens now
   * @param signal - ends the steps without an error
   * @returns steps until the signal or `stop`; also ends behind a reset of a follower that was too slow, which may come
   * again
   * @throws `ERR_OVERLOADED`, `ERR_STOPPING`, both before the first step
   */
  async *follow(lastEventId: string | undefined, signal: AbortSignal): AsyncGenerator<EventStep, void> {
    if (this.#stopped) throw new SheafError('ERR_STOPPING')
    if (this.#followers >= FOLLOWERS_MAX) throw new SheafError('ERR_OVERLOADED', 'too many clients follow the events')
    this.#followers++
    try {
      const known = lastEventId === undefined ? this.#last : this.#numberOf(lastEventId)
      let seen = known ?? this.#last
      yield { kind: known === undefined ? 'reset' : 'start', id: this.#idOf(seen) }
      while (!signal.aborted && !this.#stopped) {
        if (seen < this.#lastExpired) {
          yield { kind: 'reset', id: this.#idOf(this.#last) }
          return
        }
        const events = this.#after(seen)
        seen += events.length
        if (events.length > 0) yield { kind: 'events', events }
        else if (!(await this.#waitForEvent(signal))) yield { kind: 'quiet' }
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
      const type = photoEventType(change)
      const photoId = type && parsePhotoId(change.key.id)
      if (type !== undefined && photoId !== undefined) {
        this.#add({ id: this.#nextId(), type, photoId, atMs: this.#clock.now() })
      }
    }
  }

  /**
   * The directory is being made again from the log. What changes in it is old or new, nobody can tell: followers have to
   * look at everything again, which they can once it is complete.
   */
  #invalidate(): void {
    if (this.#isRebuilding) return
    this.#isRebuilding = true
    // A number without an event, so that nobody has seen all.
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

  /** @returns the events behind number `seen`, a batch at most */
  #after(seen: number): ClusterEvent[] {
    const count = Math.min(this.#last - seen, BATCH_MAX)
    return Array.from({ length: count }, (_, i) => this.#ring[(seen + 1 + i) % EVENTS_MAX] as ClusterEvent)
  }

  #nextId(): string {
    return this.#idOf(this.#last + 1)
  }

  #idOf(number: number): string {
    return `${this.#epoch}-${number}`
  }

  /** @returns undefined for an id that is not of this process, or so old that events behind it are forgotten */
  #numberOf(id: string): number | undefined {
    const [, epoch, digits] = EVENT_ID.exec(id) ?? []
    const number = Number(digits)
    return epoch === this.#epoch && number >= this.#lastExpired && number <= this.#last ? number : undefined
  }

  /** A short while of events wakes everybody once. */
  #wakeSoon(): void {
    if (this.#waiting.size > 0) this.#cancelWake ??= this.#clock.schedule(WAKE_MS, () => this.#wake())
  }

  #wake(): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    for (const wake of [...this.#waiting]) wake()
  }

  /** @returns whether there may be news, or the end; false when it was quiet for too long */
  #waitForEvent(signal: AbortSignal): Promise<boolean> {
    return new Promise(resolve => {
      const end = (news: boolean): void => {
        cancelQuiet()
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve(news)
      }
      const wake = (): void => end(true)
      const cancelQuiet = this.#clock.schedule(QUIET_MS_MAX, () => end(false))
      signal.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
    })
  }
}

/** @returns what a change is to somebody who looks at live photos; undefined when they see none */
function photoEventType({ key, before, after }: RecordChange): PhotoEventType | undefined {
  if (key.kind !== PHOTO_KIND) return undefined
  const wasLive = before !== undefined && isLive(before)
  if (isLive(after)) return wasLive ? 'photo.updated' : 'photo.uploaded'
  return wasLive ? 'photo.deleted' : undefined
}

function isLive(record: DirectoryRecord): boolean {
  const version = greatestEntry(record.entries, ({ field }) => field === VERSION_FIELD)
  return version !== undefined && !version.deleted
}
