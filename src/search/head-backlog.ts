import type { Clock } from '../core/clock.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { sameValue } from '../domain/cbor.js'
import { headChange, viewLooks } from '../domain/findings.js'
import { hlcMs } from '../domain/hlc.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import {
  cameraChange,
  dimensionsChange,
  factOf,
  mediaChange,
  placeChange,
  takenAtChange,
  takenAtOf
} from '../domain/photo-facts.js'
import { isVisual } from '../domain/photo-kind.js'
import type { Change, DirectoryRecord } from '../domain/record.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import { HEAD_READER, type Head } from '../similarity/images/heads/head-facts.js'
import type { ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import { blobOf } from '../store/photo-needles.js'
import type { RecordWriter } from '../store/record-writer.js'
import { PhotoScan, VISUAL_TERMS, visualCount } from './photo-scan.js'
import { PhotoWork, WAITING_MAX } from './photo-work.js'
import { fileOfBlob, sourceOf } from './readable-file.js'

/** Heads read concurrently. */
const CONCURRENCY = 4
const IDLE_MS = 1_000
/** Photos of before that are read again, by a newer reader: this many in a second. */
const AGAIN_PER_SECOND = 50
const SECOND_MS = 1_000

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

/**
 * Gets the head of every picture's and movie's file read, as soon as it is here and before anything of it is decoded: so its size and
 * date are known also when there is never a picture. The node that took the upload reads it at once. Whoever ranks first does
 * so later, where that was not done, or was by an older reader.
 */
export class HeadBacklog implements Startable {
  readonly #components: HeadBacklogComponents
  readonly #loop: WorkerLoop
  readonly #scan: PhotoScan
  readonly #work: PhotoWork
  #unsubscribe: (() => void) | undefined
  #nextPageMs = 0

  constructor(components: HeadBacklogComponents) {
    const { clock, log, directory } = components
    this.#components = components
    const step = (signal: AbortSignal): Promise<'idle'> => this.#step(signal)
    this.#loop = new WorkerLoop({ clock, log }, { name: 'head backlog', idleMs: IDLE_MS, step })
    this.#work = new PhotoWork(components, {
      failed: 'the head of a photo could not be read; it will be retried',
      isUndone,
      work: (id, signal) => this.#read(id, signal),
      concurrency: () => CONCURRENCY,
      wake: () => this.#loop.wake(),
      onFull: () => this.#scan.hurry()
    })
    this.#scan = new PhotoScan(
      { directory },
      {
        terms: VISUAL_TERMS,
        pagePhotos: AGAIN_PER_SECOND,
        isBehind: () => visualCount(directory) > directory.count(`head\0${HEAD_READER}`),
        take: record => this.#work.take(record, 'old'),
        queued: () => this.#work.waiting('old'),
        queuedMax: WAITING_MAX
      }
    )
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.directory.onChange(changes => {
      for (const { before, after } of changes) {
        if (after?.kind !== PHOTO_KIND) continue
        if (before !== undefined) this.#work.take(after, 'old')
        else this.#work.take(after, 'new', this.#isUploadedHere(after) ? 'mine' : 1)
      }
    })
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
    await this.#work.stop()
  }

  /** Of a new photo the node that took the upload is given time first. */
  #isUploadedHere(record: DirectoryRecord): boolean {
    const blob = blobOf(viewPhoto(record), 'orig')
    return blob !== undefined && this.#components.reader.isLocal(blob)
  }

  async #step(signal: AbortSignal): Promise<'idle'> {
    const { clock, directory } = this.#components
    if (directory.state !== 'open') return 'idle'
    const now = clock.monotonic()
    this.#work.startDue(now)
    if (now >= this.#nextPageMs && (await this.#scan.step(now, signal))) {
      this.#nextPageMs = now + SECOND_MS
      this.#work.startDue(clock.monotonic())
    }
    return 'idle'
  }

  async #read(id: PhotoId, signal: AbortSignal): Promise<'done' | 'later'> {
    const { directory, reader, analyzer, writer } = this.#components
    const key = { kind: PHOTO_KIND, id }
    if (directory.state !== 'open' || directory.isOpaque(key)) return 'done'
    const stored = directory.getSync(key)
    const photo = stored && viewPhoto(stored.record)
    const blob = photo && blobOf(photo, 'orig')
    if (photo === undefined || blob === undefined || !isUndone(photo)) return 'done'
    if ((await reader.source(blob)) === undefined) return 'later'
    const { zone, place } = photo.file
    const hints = { latestMs: hlcMs(photo.createdAt), name: photo.name, zone, place }
    const head = await analyzer.readHead({ source: sourceOf(fileOfBlob(reader, blob)), hints }, signal)
    await writer.edit(id, (_, now) =>
      now.deleted || now.generation !== photo.generation ? undefined : { changes: changesOf(now, head) }
    )
    return 'done'
  }
}

/** An older version looked at it after this one if there is a date without a source. */
function isUndone(photo: Photo): boolean {
  if (photo.deleted || !isVisual(photo.contentType)) return false
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
    const { width, height, camera, place, media } = head
    // a decoder that has shown the picture knows its size better
    if (width !== undefined && height !== undefined && image?.state !== 'whole')
      changes.push(dimensionsChange(width, height))
    if (head.takenAt !== undefined) changes.push(takenAtChange(head.takenAt))
    else if (takenAtOf(record) !== undefined) changes.push({ kind: 'remove', field: 'facts', key: 'taken_at' })
    if (camera !== undefined) changes.push(cameraChange(camera))
    if (place !== undefined) changes.push(placeChange(place))
    if (media !== undefined) changes.push(mediaChange(media))
  }
  return changes.filter(change => !isThere(record, change))
}

function isThere(record: DirectoryRecord, change: Change): boolean {
  if (change.kind !== 'add') return false
  const fact = factOf(record, change.key)
  return fact !== undefined && change.value !== undefined && sameValue(fact, change.value)
}
