import { hash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { WorkerLoop } from '../core/worker-loop.js'
import type { Directory } from '../directory/directory.js'
import { encodeFeatures, type Features, type ModelId, modelIdOf } from '../domain/features.js'
import {
  featuresChange,
  featuresFailedChange,
  imageChange,
  type Link,
  linkChange,
  phashChange,
  viewFindings
} from '../domain/findings.js'
import type { NodeId, PhotoId } from '../domain/ids.js'
import { addVariantChange, factsChanges, PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import type { Change, DirectoryRecord } from '../domain/record.js'
import { rendezvous } from '../domain/rendezvous.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { Analysis, ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import { blobOf, dataDraft } from '../store/photo-needles.js'
import type { Edit, RecordWriter } from '../store/record-writer.js'
import type { NeedleDraft } from '../volumes/needle-store.js'

/** One is decoded while the bytes of others come in, and the results of others are compared and written. */
const AT_ONCE = 6
/** While photos come in, one at a time: the uploads of clients go first. */
const AT_ONCE_BUSY = 1
/** How long after a photo came in others are expected. */
const BUSY_MS = 250
/** Photos that wait in memory; the rest is looked for in the directory when these are done. */
const WAITING_MAX = 10_000
/** How long a photo is left to each node that is before this one in its ranking. */
const TURN_MS = 60_000
/** How long to wait for the bytes, or after a failure that is not the photo's; doubles each time. */
const RETRY_MS = 2_000
const RETRY_MS_MAX = 10 * 60_000
const IDLE_MS = 1_000
/** Two photos that were looked at in the same moment could not find each other: each is compared once more after this long. */
const COMPARE_AGAIN_MS = 5_000
const COMPARE_AGAIN_MAX = 1_000
/** Between two looks through the directory; doubles while nothing new turns up. */
const SCAN_MS = 5_000
const SCAN_MS_MAX = 60 * 60_000
const PAGE = 200
const IMAGES = 'type\0image'
/** What is wrong with the photo itself: nobody needs to try again. */
const FINAL = ['ERR_IMAGE_UNREADABLE', 'ERR_IMAGE_TOO_LARGE', 'ERR_IMAGE_CRASHED'] as const

export interface ImageBacklogComponents {
  readonly directory: Pick<Directory, 'getSync' | 'query' | 'count' | 'onChange' | 'state'>
  readonly analyzer: Pick<ImageAnalyzer, 'model' | 'analyze'>
  readonly reader: Pick<PhotoReader, 'source' | 'stream'>
  readonly writer: Pick<RecordWriter, 'edit'>
  /** Nodes that share the work: this one and all that are alive. */
  readonly workers: () => readonly NodeId[]
  readonly self: NodeId
  /** Photos that look like one with these features. */
  readonly alike: (
    id: PhotoId,
    features: Features,
    phash: Uint8Array | undefined,
    signal: AbortSignal
  ) => Promise<ReadonlyMap<PhotoId, Link>>
  readonly clock: Clock
  readonly log: Logger
}

/** A photo that was just looked at. */
interface Fresh {
  readonly id: PhotoId
  readonly features: Features
  readonly phash: Uint8Array | undefined
  readonly dueMs: number
}

interface Waiting {
  /** Monotonic ms. */
  dueMs: number
  failures: number
}

/**
 * Has every photo in the cluster looked at once: size, date, perceptual hash, smaller sizes, features, and which others it
 * looks like. The work is shared by ranking the nodes for each photo: the first does it at once, the next ones only if it is
 * still undone after a while, so a node that dies half way, or has no model, holds up nothing. Done twice it does no harm.
 */
export class ImageBacklog implements Startable {
  readonly #components: ImageBacklogComponents
  readonly #loop: WorkerLoop
  readonly #waiting = new Map<PhotoId, Waiting>()
  readonly #working = new Map<PhotoId, Promise<void>>()
  /** Oldest first. */
  readonly #fresh: Fresh[] = []
  readonly #abort = new AbortController()
  #unsubscribe: (() => void) | undefined
  /** When the last new photo came in, monotonic. */
  #lastPhotoMs = Number.NEGATIVE_INFINITY
  #nextScanMs = 0
  #scanMs = SCAN_MS
  /** Where the next look through the directory goes on; undefined: at the newest. */
  #cursor: string | undefined

  constructor(components: ImageBacklogComponents) {
    const { clock, log } = components
    this.#components = components
    setMaxListeners(0, this.#abort.signal) // all that is under way hangs on it
    this.#loop = new WorkerLoop({ clock, log }, { name: 'image backlog', idleMs: IDLE_MS, step: () => this.#step() })
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.directory.onChange(changes => {
      for (const { before, after } of changes) {
        if (after.kind !== PHOTO_KIND) continue
        if (before === undefined) this.#lastPhotoMs = this.#components.clock.monotonic()
        this.#note(after)
      }
    })
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#abort.abort(new SheafError('ERR_STOPPING'))
    await this.#loop.stop()
    await Promise.all(this.#working.values())
  }

  /** The model has changed: what it has not seen yet is looked for at once. */
  modelChanged(): void {
    this.#scanSoon()
    this.#loop.wake()
  }

  /** Photos, in the whole cluster, that the model has not seen; without a model: that nobody has looked at. */
  get pending(): number {
    const { directory, analyzer } = this.#components
    const done = analyzer.model === undefined ? 'looked' : `features\0${analyzer.model}`
    return Math.max(0, directory.count(IMAGES) - directory.count(done))
  }

  // --- what is to be done ---

  #note(record: DirectoryRecord): void {
    const photo = viewPhoto(record)
    if (!this.#isUndone(photo)) {
      this.#waiting.delete(photo.id)
      return
    }
    if (this.#waiting.has(photo.id) || this.#working.has(photo.id)) return
    if (this.#waiting.size >= WAITING_MAX) {
      this.#nextScanMs = 0
      return
    }
    const { clock, workers, self } = this.#components
    const rank = rendezvous(photo.id, workers()).indexOf(self)
    const dueMs = clock.monotonic() + Math.max(0, rank) * TURN_MS
    this.#waiting.set(photo.id, { dueMs, failures: 0 })
    if (rank <= 0) this.#loop.wake()
  }

  #isUndone(photo: Photo): boolean {
    if (photo.deleted || !photo.contentType.startsWith('image/')) return false
    const { image, features, failed } = viewFindings(photo.record)
    const { model } = this.#components.analyzer
    return image === undefined || (model !== undefined && !features.has(model) && !failed.has(model))
  }

  async #step(): Promise<'busy' | 'idle'> {
    const { clock, directory } = this.#components
    if (directory.state !== 'open') return 'idle'
    const now = clock.monotonic()
    if (this.#nextScanMs <= now && this.#waiting.size < WAITING_MAX / 2) await this.#scan(now)
    const atOnce = now - this.#lastPhotoMs < BUSY_MS ? AT_ONCE_BUSY : AT_ONCE
    for (const [id, waiting] of this.#waiting) {
      if (this.#working.size >= atOnce) break
      if (waiting.dueMs <= now) this.#begin(id, waiting)
    }
    for (let fresh = this.#fresh[0]; fresh !== undefined && fresh.dueMs <= now; fresh = this.#fresh[0]) {
      this.#fresh.shift()
      await this.#compareAgain(fresh)
    }
    return 'idle'
  }

  #begin(id: PhotoId, waiting: Waiting): void {
    this.#waiting.delete(id)
    const work = this.#lookAt(id)
      .then(
        outcome => {
          this.#working.delete(id)
          // what came about meanwhile was passed over
          if (outcome === 'later' || this.#isStillUndone(id)) this.#again(id, waiting)
        },
        err => {
          this.#working.delete(id)
          if (this.#abort.signal.aborted) return
          this.#components.log.warn({ err, photo: id }, 'could not look at a photo; it is tried again')
          this.#again(id, waiting)
        }
      )
      .finally(() => this.#loop.wake())
    this.#working.set(id, work)
  }

  #isStillUndone(id: PhotoId): boolean {
    const { directory } = this.#components
    const stored = directory.state === 'open' ? directory.getSync({ kind: PHOTO_KIND, id }) : undefined
    return stored !== undefined && this.#isUndone(viewPhoto(stored.record))
  }

  #again(id: PhotoId, { failures }: Waiting): void {
    const pauseMs = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX)
    this.#waiting.set(id, { dueMs: this.#components.clock.monotonic() + pauseMs, failures: failures + 1 })
  }

  /** Looks through the directory, newest first, for photos that no change has told of: those of before the start. */
  async #scan(now: number): Promise<void> {
    const { directory } = this.#components
    const before = this.#waiting.size
    if (this.pending > 0 || directory.count(IMAGES) > directory.count('looked')) {
      do {
        const page = await directory.query({
          terms: [IMAGES],
          words: [],
          limit: PAGE,
          ...(this.#cursor !== undefined && { cursor: this.#cursor })
        })
        for (const record of page.records) this.#note(record)
        this.#cursor = page.nextCursor ?? undefined
      } while (this.#cursor !== undefined && this.#waiting.size < WAITING_MAX && !this.#abort.signal.aborted)
    }
    this.#scanMs = this.#waiting.size > before ? SCAN_MS : Math.min(2 * this.#scanMs, SCAN_MS_MAX)
    this.#nextScanMs = now + this.#scanMs
  }

  #scanSoon(): void {
    this.#cursor = undefined
    this.#nextScanMs = 0
    this.#scanMs = SCAN_MS
  }

  // --- doing it ---

  async #lookAt(id: PhotoId): Promise<'done' | 'later'> {
    const { directory, reader, analyzer, alike } = this.#components
    const { signal } = this.#abort
    const record = directory.getSync({ kind: PHOTO_KIND, id })?.record
    const photo = record && viewPhoto(record)
    const blob = photo && blobOf(photo, 'orig')
    if (photo === undefined || blob === undefined || !this.#isUndone(photo)) return 'done'
    if ((await reader.source(blob)) === undefined) return 'later'
    const { model } = analyzer
    const { image, phash, features, failed } = viewFindings(photo.record)
    const wanted = {
      facts: image === undefined,
      features: model === undefined || features.has(model) || failed.has(model) ? undefined : model
    }
    const bytes = (): AsyncIterable<Uint8Array> => reader.stream(blob, 0, blob.size)
    try {
      const analysis = await analyzer.analyze({ bytes, size: blob.size, wanted, priority: 'backlog' }, signal)
      const seen = analysis.features && { id, features: analysis.features, phash: analysis.phash ?? phash }
      const links = seen && (await alike(id, seen.features, seen.phash, signal))
      await this.#write(photo, now => resultOf(now, analysis, wanted.features, links ?? new Map()))
      if (seen !== undefined) this.#remember(seen)
    } catch (err) {
      const final = FINAL.find(code => hasCode(err, code))
      if (final === undefined) throw err
      await this.#write(photo, now => ({ changes: failureOf(now, final, wanted.features) }))
    }
    return 'done'
  }

  #remember(seen: Omit<Fresh, 'dueMs'>): void {
    this.#fresh.push({ ...seen, dueMs: this.#components.clock.monotonic() + COMPARE_AGAIN_MS })
    if (this.#fresh.length > COMPARE_AGAIN_MAX) this.#fresh.shift()
  }

  async #compareAgain({ id, features, phash }: Fresh): Promise<void> {
    const { directory, alike } = this.#components
    const record = directory.getSync({ kind: PHOTO_KIND, id })?.record
    if (record === undefined) return
    const links = await alike(id, features, phash, this.#abort.signal)
    const known = viewFindings(record).links
    const found = [...links].filter(([other]) => !known.has(other))
    if (found.length === 0) return
    await this.#write(viewPhoto(record), () => ({ changes: found.map(([other, link]) => linkChange(other, link)) }))
  }

  /** Nothing is written when the photo was deleted meanwhile, or brought back with needles of another generation. */
  async #write({ id, generation }: Photo, decide: (now: Photo) => Edit): Promise<void> {
    await this.#components.writer.edit(id, (_, now) =>
      now.deleted || now.generation !== generation ? undefined : decide(now)
    )
  }
}

function resultOf(
  photo: Photo,
  analysis: Analysis,
  model: ModelId | undefined,
  links: ReadonlyMap<PhotoId, Link>
): Edit {
  const { id, generation } = photo
  const { width, height, takenAt, phash, variants, features, featuresError } = analysis
  const changes: Change[] = []
  const needles: NeedleDraft[] = []
  if (phash !== undefined && viewFindings(photo.record).image === undefined) {
    changes.push(...factsChanges({ width, height, takenAt }), imageChange(), phashChange(phash))
  }
  for (const { alt, recipe, contentType, bytes } of variants) {
    if (photo.variants.has(alt)) continue // a client's own, or another node was first
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(addVariantChange(alt, { recipe, sha256, size: bytes.length, contentType, chunkBytes: 0 }))
    needles.push(dataDraft(photo, { id, generation, part: alt, sha256 }, 0, false, bytes))
  }
  if (features !== undefined) {
    const bytes = encodeFeatures(features)
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(featuresChange(modelIdOf(features.modelDigest), { sha256, size: bytes.length }))
    needles.push(dataDraft(photo, { id, generation, part: 'features', sha256 }, 0, false, bytes))
  }
  if (model !== undefined && featuresError !== undefined) changes.push(featuresFailedChange(model, featuresError))
  for (const [other, link] of links) changes.push(linkChange(other, link))
  return { changes, needles }
}

function failureOf(photo: Photo, error: string, model: ModelId | undefined): Change[] {
  const changes = viewFindings(photo.record).image === undefined ? [imageChange(error)] : []
  return model === undefined ? changes : [...changes, featuresFailedChange(model, error)]
}
