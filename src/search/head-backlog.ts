import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { sameValue } from '../domain/cbor.js'
import { headChange, viewLooks } from '../domain/findings.js'
import { hlcMs } from '../domain/hlc.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { cameraChange, dimensionsChange, factOf, placeChange, takenAtChange, takenAtOf } from '../domain/photo-facts.js'
import type { Change, DirectoryRecord } from '../domain/record.js'
import { rendezvous } from '../domain/rendezvous.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { ByteSource } from '../similarity/images/heads/head-bytes.js'
import { HEAD_READER, type Head } from '../similarity/images/heads/head-facts.js'
import type { ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import { blobOf, type PhotoBlob } from '../store/photo-needles.js'
import type { RecordWriter } from '../store/record-writer.js'
import { PhotoScan } from './photo-scan.js'

/** Heads read concurrently. */
const CONCURRENCY = 4
/** Photos that may wait; a scan of the directory finds the rest. */
const QUEUE_MAX = 10_000
/** How long to wait for each node that ranks before this one for a photo. */
const RANK_DELAY_MS = 60_000
/** Wait for missing bytes, or after a failure; doubles each time. */
const RETRY_MS = 2_000
const RETRY_MS_MAX = 10 * 60_000
const IDLE_MS = 1_000
/** Photos of before that are read again, by a newer reader: this many in a second. */
const AGAIN_PER_SECOND = 50
const SECOND_MS = 1_000
const IMAGES = 'type\0image'

export interface HeadBacklogComponents {
  readonly directory: Pick<Directory, 'getSync' | 'isOpaque' | 'query' | 'count' | 'onChange' | 'state'>
  readonly analyzer: Pick<ImageAnalyzer, 'readHead'>
  readonly reader: Pick<PhotoReader, 'isLocal' | 'source' | 'stream'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Nodes that share the work: this one and all live peers. */
  readonly workers: () => readonly NodeId[]
  readonly self: NodeId
  readonly clock: Clock
  readonly log: Logger
}

interface QueuedPhoto {
  /** Monotonic ms. */
  readonly dueMs: number
  readonly failures: number
}

/**
 * Gets the head of every picture's file read, as soon as it is here and before anything of it is decoded: so its size and
 * date are known also when there is never a picture. The node that took the upload reads it at once. Whoever ranks first by rendezvous
 * hashing does so later, where that was not done, or was by an older reader. Doing it twice is harmless.
 */
export class HeadBacklog implements Startable {
  readonly #components: HeadBacklogComponents
  readonly #loop: WorkerLoop
  readonly #scan: PhotoScan
  readonly #queue = new Map<PhotoId, QueuedPhoto>()
  readonly #inFlight = new Map<PhotoId, Promise<void>>()
  readonly #abort = new AbortController()
  #unsubscribe: (() => void) | undefined
  #nextPageMs = 0

  constructor(components: HeadBacklogComponents) {
    const { clock, log, directory } = components
    this.#components = components
    this.#loop = new WorkerLoop({ clock, log }, { name: 'head backlog', idleMs: IDLE_MS, step: () => this.#step() })
    this.#scan = new PhotoScan(
      { directory },
      {
        term: IMAGES,
        pagePhotos: AGAIN_PER_SECOND,
        isBehind: () => directory.count(IMAGES) > directory.count(`head\0${HEAD_READER}`),
        take: record => this.#enqueue(record, false),
        queued: () => this.#queue.size,
        queuedMax: QUEUE_MAX
      }
    )
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.directory.onChange(changes => {
      for (const { before, after } of changes)
        if (after?.kind === PHOTO_KIND) this.#enqueue(after, before === undefined)
    })
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    await this.#loop.stop()
    await Promise.all(this.#inFlight.values())
  }

  #enqueue(record: DirectoryRecord, isNew: boolean): void {
    const photo = viewPhoto(record)
    const { id } = photo
    if (!isUndone(photo)) {
      this.#queue.delete(id)
      return
    }
    if (this.#queue.has(id) || this.#inFlight.has(id)) return
    if (this.#queue.size >= QUEUE_MAX) {
      this.#scan.hurry()
      return
    }
    const { clock, reader, workers, self } = this.#components
    const blob = blobOf(photo, 'orig')
    const isUploadedHere = isNew && blob !== undefined && reader.isLocal(blob)
    // of a new photo the node that took the upload is given time first
    const turns = isUploadedHere ? 0 : Math.max(0, rendezvous(id, workers()).indexOf(self)) + Number(isNew)
    this.#queue.set(id, { dueMs: clock.monotonic() + turns * RANK_DELAY_MS, failures: 0 })
    if (turns === 0) this.#loop.wake()
  }

  async #step(): Promise<'busy' | 'idle'> {
    const { clock, directory } = this.#components
    if (directory.state !== 'open') return 'idle'
    const now = clock.monotonic()
    this.#startDue(now)
    if (now >= this.#nextPageMs && (await this.#scan.step(now, this.#abort.signal))) {
      this.#nextPageMs = now + SECOND_MS
      this.#startDue(clock.monotonic())
    }
    return 'idle'
  }

  #startDue(now: number): void {
    for (const [id, queued] of this.#queue) {
      if (this.#inFlight.size >= CONCURRENCY) return
      if (queued.dueMs <= now) this.#start(id, queued)
    }
  }

  #start(id: PhotoId, queued: QueuedPhoto): void {
    this.#queue.delete(id)
    const work = this.#read(id)
      .catch(err => {
        if (this.#abort.signal.aborted) return 'done'
        this.#components.log.warn({ err, photo: id }, 'the head of a photo could not be read; it will be retried')
        return 'later'
      })
      .then(outcome => {
        this.#inFlight.delete(id)
        if (outcome === 'later') {
          const { failures } = queued
          const pauseMs = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX)
          this.#queue.set(id, { dueMs: this.#components.clock.monotonic() + pauseMs, failures: failures + 1 })
        }
        this.#loop.wake()
      })
    this.#inFlight.set(id, work)
  }

  async #read(id: PhotoId): Promise<'done' | 'later'> {
    const { directory, reader, analyzer, writer } = this.#components
    const key = { kind: PHOTO_KIND, id }
    if (directory.state !== 'open' || directory.isOpaque(key)) return 'done'
    const stored = directory.getSync(key)
    const photo = stored && viewPhoto(stored.record)
    const blob = photo && blobOf(photo, 'orig')
    if (photo === undefined || blob === undefined || !isUndone(photo)) return 'done'
    if ((await reader.source(blob)) === undefined) return 'later'
    const hints = { latestMs: hlcMs(photo.createdAt), name: photo.name, zone: photo.file.zone }
    const head = await analyzer.readHead({ source: sourceIn(reader, blob), hints }, this.#abort.signal)
    await writer.edit(id, (_, now) =>
      now.deleted || now.generation !== photo.generation ? undefined : { changes: changesOf(now, head) }
    )
    return 'done'
  }
}

function sourceIn(reader: Pick<PhotoReader, 'stream'>, blob: PhotoBlob): ByteSource {
  return {
    size: blob.size,
    read: async (at, length) => {
      const pieces: Uint8Array[] = []
      for await (const piece of reader.stream(blob, at, Math.min(at + length, blob.size))) pieces.push(piece)
      return Buffer.concat(pieces)
    }
  }
}

/** An older version looked at it after this one if there is a date without a source. */
function isUndone(photo: Photo): boolean {
  if (photo.deleted || !photo.contentType.startsWith('image/')) return false
  const { head } = viewLooks(photo.record)
  const takenAt = takenAtOf(photo.record)
  if (head === undefined || head.reader < HEAD_READER) return true
  return head.format !== undefined && takenAt !== undefined && takenAt.source === undefined
}

/** @returns the facts that are not in the record yet */
function changesOf({ record }: Photo, head: Head | undefined): Change[] {
  const changes: Change[] = [headChange(HEAD_READER, head?.format)]
  if (head !== undefined) {
    const { image } = viewLooks(record)
    const { width, height, camera, place } = head
    // a decoder that has shown the picture knows its size better
    if (width !== undefined && height !== undefined && image?.state !== 'whole')
      changes.push(dimensionsChange(width, height))
    if (head.takenAt !== undefined) changes.push(takenAtChange(head.takenAt))
    else if (takenAtOf(record) !== undefined) changes.push({ kind: 'remove', field: 'facts', key: 'taken_at' })
    if (camera !== undefined) changes.push(cameraChange(camera))
    if (place !== undefined) changes.push(placeChange(place))
  }
  return changes.filter(change => !isThere(record, change))
}

function isThere(record: DirectoryRecord, change: Change): boolean {
  if (change.kind !== 'add') return false
  const fact = factOf(record, change.key)
  return fact !== undefined && change.value !== undefined && sameValue(fact, change.value)
}
