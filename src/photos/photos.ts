import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import { turn } from '../core/turn.js'
import type { Directory } from '../directory/directory.js'
import { albumsIn, type PhotoAct, photoAudience } from '../domain/audience.js'
import { TAKEN_MS_MIN } from '../domain/date-text.js'
import { neutralName } from '../domain/file-name.js'
import { viewLooks } from '../domain/findings.js'
import type { ActorId, Cookie, PhotoId, VolumeId } from '../domain/ids.js'
import { DIGESTS_MAX, LOOKUP_IDS_MAX } from '../domain/limits.js'
import { editOf, type Said } from '../domain/merged-metadata.js'
import { ALONE, pairOf } from '../domain/pairs.js'
import {
  type AltKey,
  metaEtag,
  PHOTO_KIND,
  type Photo,
  type PhotoEdit,
  placeOfPhoto,
  viewPhoto
} from '../domain/photo.js'
import type { Motion, TakenAt } from '../domain/photo-facts.js'
import { isVisual } from '../domain/photo-kind.js'
import { conflictVersions, type DirectoryRecord, isLive } from '../domain/record.js'
import { SIZE_NAMES, standsIn } from '../domain/size-states.js'
import { motionOf } from '../domain/traits.js'
import type { LaidOut } from '../store/laid-out.js'
import { blobOf, dataIdentity } from '../store/photo-needles.js'
import { photoNotFound, type RecordWriter, requireLive, requireRecord } from '../store/record-writer.js'
import type { NeedleStore } from '../volumes/needle-store.js'
import { requireMayWithAlbum } from './albums/album-lookup.js'
import { type AlbumNames, LABELS_ONLY, labelsFor, namesSeen, setEditFor } from './albums/album-names.js'
import { forEach } from './batch.js'
import { BlobIntake } from './blob-intake.js'
import { ByteBudget } from './byte-budget.js'
import { DuplicateMerge, type MergeReport, type MergeRequest } from './duplicate-merge.js'
import { findKnown } from './known-photos.js'
import { actOfFilters, filtersOf, trashFilters } from './list-filters.js'
import type { CacheStats, PhotoCache } from './photo-cache.js'
import { PhotoEdits, validatorsOf } from './photo-edits.js'
import { NOBODY_KNOWN, type OwnerNames, ownerNamed } from './photo-owners.js'
import type { PhotoReader } from './photo-reader.js'
import { badField, checkPatch, checkShift } from './photo-rules.js'
import type {
  BatchOutcome,
  BatchPatch,
  Body,
  BodyOptions,
  Content,
  ContentHead,
  HotContent,
  KnownPhoto,
  ListedPhoto,
  ListQuery,
  PhotoConflict,
  PhotoCopies,
  PhotoMeta,
  PhotoPage,
  PhotoPatch,
  Precondition,
  SetPatch,
  UploadOptions,
  UploadReceipt
} from './photo-types.js'
import { CLIENT_RECIPE, PhotoUploads } from './photo-uploads.js'
import { UNBOUNDED, type UploadQuotas } from './quotas.js'
import type { UploadSpool } from './upload-spool.js'
import { ALL_SEEING, requireMay, type Viewer } from './viewers/viewer.js'

const UPLOADS_IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
/** Chunks of uploads on disk that are in memory at once, to be stored. */
const READ_BACK_CHUNKS = 3
const LIST_LIMIT = 50
const LISTED_IN_A_TURN = 256
/** What counts as made by a client where nothing was made. */
const CLIENT_MADE = { recipe: CLIENT_RECIPE }
const NOTHING_FOUND: PhotoPage = { photos: [], total: 0, isTotalExact: true, nextCursor: null }
/** Photos that one call takes out of the trash. */
const EMPTIED_MAX = 1_000

export interface PhotosComponents {
  readonly store: NeedleStore
  readonly directory: Pick<
    Directory,
    'lookUp' | 'query' | 'newestWith' | 'records' | 'onChange' | 'onOpaque' | 'language' | 'isAskedBy'
  >
  readonly clock: Clock
  readonly random: Random
  /** All writes of this node's records go through it. */
  readonly writer: RecordWriter
  readonly reader: PhotoReader
  /** The reader's. */
  readonly cache: PhotoCache
  /** The current epoch. */
  readonly actor: () => ActorId
  readonly log: Logger
  /** Default: albums are labels. */
  readonly albums?: AlbumNames
  /** Where uploads go that memory has no room for. */
  readonly spool: Pick<UploadSpool, 'open'>
  /** The volume that an append would go to now; recorded at upload as a hint. */
  readonly logicalVolume: () => VolumeId
  /** Default: those on this node alone. */
  readonly copies?: PhotoCopies
  /** Default: nobody is known by name. */
  readonly owners?: OwnerNames
  /** Default: everybody may have as much as fits. */
  readonly quotas?: UploadQuotas
  /** Asks the peers about a photo that is unknown here. @returns whether all members answered */
  readonly fetchRecord?: (id: PhotoId) => Promise<boolean>
  /** What graves have ended here before its time. Default: nothing. */
  readonly laidOut?: Pick<LaidOut, 'read'>
}

export interface PhotosInit {
  /** Blobs larger than this are cut into chunk needles of this size. A power of two. */
  readonly chunkBytes: number
  readonly maxUploadBytes: number
  /** Memory for uploads that arrive, bytes; default 64 MiB. The others go to disk meanwhile. */
  readonly uploadsInFlightBytesMax?: number
  /** Memory for chunks of uploads that come back from the disk to be stored, bytes; default: for 3 of them. */
  readonly readBackBytesMax?: number
  /** Durable copies before an upload is acknowledged, unless the upload asks for another number; default 1. */
  readonly minCopies?: number
  readonly requireCookie: boolean
}

/** What the photos of all viewers share. */
interface PhotosParts extends PhotosComponents {
  readonly requireCookie: boolean
  readonly copies: PhotoCopies
  readonly albums: AlbumNames
  readonly owners: OwnerNames
  readonly uploads: PhotoUploads
  readonly merges: DuplicateMerge
}

/** Everything that somebody can do with photos, similarity excepted. */
export class Photos {
  readonly #parts: PhotosParts
  readonly #viewer: Viewer
  readonly #albums: AlbumNames
  readonly #edits: PhotoEdits

  private constructor(parts: PhotosParts, viewer: Viewer) {
    this.#parts = parts
    this.#viewer = viewer
    this.#albums = viewer === ALL_SEEING ? parts.albums : namesSeen(parts.albums, id => viewer.mayWithAlbum('see', id))
    this.#edits = new PhotoEdits(parts, viewer)
  }

  /** @returns all photos, for the node itself */
  static create(components: PhotosComponents, init: PhotosInit): Photos {
    const { directory, reader, cache, albums = LABELS_ONLY, copies = copiesOn(reader), spool } = components
    const { chunkBytes, maxUploadBytes, minCopies = 1, requireCookie } = init
    const bytesMax = init.uploadsInFlightBytesMax ?? UPLOADS_IN_FLIGHT_BYTES_MAX
    const memory = new ByteBudget({ bytesMax, waitersMax: 0 })
    // whoever waits for it has a file, and the spool bounds their number
    const readBackBytesMax = init.readBackBytesMax ?? READ_BACK_CHUNKS * chunkBytes
    const readBack = new ByteBudget({ bytesMax: readBackBytesMax, waitersMax: Number.POSITIVE_INFINITY })
    const intake = new BlobIntake({ memory, readBack, spool }, { chunkBytes, maxBytes: maxUploadBytes })
    const { quotas = UNBOUNDED } = components
    const uploads = new PhotoUploads({ ...components, intake, copies, quotas }, { chunkBytes, minCopies })
    directory.onChange(changes => {
      for (const { key, after } of changes) {
        if (after !== undefined && isLive(after)) cache.forgetHead(key.id)
        else cache.forget(key.id)
      }
    })
    directory.onOpaque(keys => {
      for (const { id } of keys) cache.forget(id)
    })
    const { owners = NOBODY_KNOWN } = components
    const merges = new DuplicateMerge()
    return new Photos({ ...components, requireCookie, copies, albums, owners, uploads, merges }, ALL_SEEING)
  }

  /** @returns the same photos, as far as somebody sees them and may change them */
  as(viewer: Viewer): Photos {
    return viewer === this.#viewer ? this : new Photos(this.#parts, viewer)
  }

  /**
   * Stores the body as a new photo, durably on this node and on as many others as asked for.
   *
   * @throws `ERR_BAD_PARAMETER`, `ERR_EMPTY_FILE`, `ERR_TOO_LARGE`, `ERR_TRUNCATED_BODY`, `ERR_BAD_REQUEST` (longer than
   * declared), `ERR_IDEMPOTENCY_MISMATCH`, `ERR_OVERLOADED`, `ERR_TOO_FEW_COPIES` (the photo is kept; `photo_id` and
   * `copies` are in the details), what the body and the store throw
   */
  upload(body: Body, options: UploadOptions): Promise<UploadReceipt> {
    const guest = this.#viewer.guestUpload(labelsFor(this.#albums, options.albums ?? []))
    const own = guest === undefined ? options : { ...options, albums: [guest.album], owner: guest.owner, by: guest.by }
    return this.#parts.uploads.upload(body, own, albums => this.#labelsToAdd(albums))
  }

  /**
   * Adds a size of at most `chunkBytes` to a photo. Adding the same bytes again is harmless.
   *
   * @throws as `upload`, and `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, `ERR_ALT_KEY_EXISTS`
   */
  async addSize(id: PhotoId, alt: Exclude<AltKey, 'orig'>, body: Body, options: BodyOptions): Promise<UploadReceipt> {
    await this.#ensureRecord(id)
    requireMay(this.#viewer, 'edit', viewPhoto(requireRecord(this.#parts.directory, id)))
    return this.#parts.uploads.addSize(id, alt, body, options)
  }

  /**
   * @param cookie - checked when given, or always when the node requires it
   * @throws `ERR_PHOTO_NOT_FOUND` (also for a wrong cookie), `ERR_PHOTO_DELETED`, `ERR_NOT_READY` (a size that
   * is not made yet), `ERR_NOT_FOUND` (a size that cannot be made), `ERR_BYTES_UNREACHABLE`
   */
  async open(id: PhotoId, alt: AltKey, cookie?: Cookie): Promise<Content> {
    const known = await this.#ensureRecord(id)
    // No await between reading the record and `remember`: see PhotoCache.
    const photo = this.#openable(id, known, cookie)
    const shown = this.#shownSize(photo, alt)
    const blob = shown && blobOf(photo, shown)
    if (blob === undefined) throw missingSize(photo)
    const head = this.#headOf(photo, shown ?? alt, alt)
    const [copy] = this.#parts.reader.copies(blob, 0)
    if (alt === 'orig' && blob.chunkBytes === 0 && (copy !== undefined || this.#parts.cache.has(blob, 0))) {
      this.#parts.cache.remember(head, blob, copy?.identity ?? dataIdentity(blob, 0), copy?.location)
    }
    const source = copy === undefined ? await this.#parts.reader.source(blob) : 'local'
    if (source === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE', undefined, { details: { photo_id: id } })
    return { head, source, stream: (start, end) => this.#parts.reader.stream(blob, start, end) }
  }

  /**
   * Opens the movie in a picture's file.
   *
   * @throws as {@link open}; `ERR_NOT_FOUND` when there is none, `ERR_NOT_READY` when nobody has looked for one yet
   */
  async openMotion(id: PhotoId, cookie?: Cookie): Promise<Content> {
    const photo = this.#openable(id, await this.#ensureRecord(id), cookie)
    requireMay(this.#viewer, 'original', photo)
    const [motion, blob] = [motionOf(photo), blobOf(photo, 'orig')]
    if (motion === undefined || blob === undefined) throw missingMotion(photo)
    const source = await this.#parts.reader.source(blob)
    if (source === undefined) throw new SheafError('ERR_BYTES_UNREACHABLE', undefined, { details: { photo_id: id } })
    const stream: Content['stream'] = (start, end) =>
      this.#parts.reader.stream(blob, motion.at + start, motion.at + end)
    return { head: headOfMotion(photo, motion), source, stream }
  }

  /**
   * @returns which bytes are sent for a size: where it was not made since the original fits it, those, or, to whoever gets no
   *   originals, the largest of those that were
   * @throws `ERR_FORBIDDEN`
   */
  #shownSize(photo: Photo, alt: AltKey): AltKey | undefined {
    if (alt === 'orig') requireMay(this.#viewer, 'original', photo)
    if (alt === 'orig' || this.#viewer.may('original', photoAudience(photo)))
      return photo.variants.has(alt) || alt === 'orig' ? alt : standsIn(photo) ? 'orig' : undefined
    // what a client has made of it may tell all that the original tells
    const isMade = (size: AltKey): boolean => (photo.variants.get(size) ?? CLIENT_MADE).recipe !== CLIENT_RECIPE
    return SIZE_NAMES.slice(SIZE_NAMES.indexOf(alt)).find(isMade)
  }

  #headOf(photo: Photo, alt: AltKey, asked: AltKey): ContentHead {
    const head = headOf(photo, alt)
    const isBare = !this.#viewer.may('facts', photoAudience(photo))
    return { ...head, alt: asked, ...(isBare && { name: neutralName(photo.id) }) }
  }

  /** @throws `ERR_PHOTO_NOT_FOUND`, also for a wrong cookie, `ERR_PHOTO_DELETED` */
  #openable(id: PhotoId, known: 'recorded' | 'buried', cookie: Cookie | undefined): Photo {
    const needsCookie = this.#parts.requireCookie || cookie !== undefined
    // which cookie a buried photo had is not known any more
    if (known === 'buried' && needsCookie) throw photoNotFound(id)
    const photo = viewPhoto(requireRecord(this.#parts.directory, id))
    if (needsCookie && cookie !== photo.cookie) throw photoNotFound(id)
    requireLive(photo)
    return photo
  }

  /**
   * Opens the original of a recently opened photo synchronously, in a few microseconds.
   *
   * @param idText - the id from the URL; only its canonical form is found
   * @returns undefined: use {@link open}
   */
  openHot(idText: string): HotContent | undefined {
    const { requireCookie, cache } = this.#parts
    if (requireCookie) return undefined
    try {
      return cache.openHot(idText, ({ audience }) => this.#viewer.may('original', audience))
    } catch (err) {
      if (err instanceof SheafError) return undefined // such as while the directory is being read: `open` reports it
      throw err
    }
  }

  cacheStats(): CacheStats {
    return this.#parts.cache.stats()
  }

  /** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED` */
  async meta(id: PhotoId): Promise<PhotoMeta> {
    await this.#ensureRecord(id)
    return this.#meta(requireRecord(this.#parts.directory, id))
  }

  /**
   * @param condition - checked on this node only, against the metadata
   * @throws `ERR_BAD_PARAMETER`, `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, `ERR_PRECONDITION_FAILED`, `ERR_ATTRIBUTES_TOO_LARGE`
   */
  async patch(id: PhotoId, patch: PhotoPatch, condition?: Precondition): Promise<PhotoMeta> {
    const checked = checkPatch(patch)
    await this.#ensureRecord(id)
    const { albums } = checked
    const edit = albums === undefined ? checked : { ...checked, albums: setEditFor(this.#albums, albums) }
    const edited = await this.#edits.patch(id, edit, condition)
    await this.#labelPartners(id, edit)
    return this.#meta(edited)
  }

  /**
   * Deleting again is harmless.
   *
   * @throws `ERR_PHOTO_NOT_FOUND`, what `condition` throws for the bytes, deleted or not
   */
  async remove(
    id: PhotoId,
    {
      withPartners = false,
      condition
    }: { readonly withPartners?: boolean; readonly condition?: Precondition | undefined } = {}
  ): Promise<void> {
    if ((await this.#ensureRecord(id)) === 'buried') {
      condition?.(undefined)
      return
    }
    const partners = withPartners ? this.#partnersOf(id, 'delete') : []
    await this.#edits.remove(id, condition)
    for (const partner of partners) await this.#edits.remove(partner)
  }

  /**
   * Keeps one of several photos that are the same: what people say of the others is merged into it, then they are deleted.
   * What belongs to them, such as a RAW file, stays.
   *
   * @throws as {@link DuplicateMerge.run}; errors of those to be deleted are in their outcomes
   */
  mergeDuplicates(request: MergeRequest): Promise<MergeReport> {
    return this.#parts.merges.run(request, {
      albums: this.#albums,
      said: async id => this.#said(await this.#livePhoto(id)),
      give: async (id, gainOf) => {
        let edit: PhotoEdit = {}
        await this.#edits.edit(id, photo => {
          edit = editOf(gainOf(this.#said(photo)))
          return edit
        })
        await this.#labelPartners(id, edit)
      },
      remove: async (id, allow) => {
        await this.#edits.removeLive(id, photo => allow(this.#said(photo)))
      }
    })
  }

  /** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED` */
  async #livePhoto(id: PhotoId): Promise<Photo> {
    await this.#ensureRecord(id)
    const photo = viewPhoto(requireRecord(this.#parts.directory, id))
    requireLive(photo)
    return photo
  }

  /** Without albums that are deleted, since nobody sees those, and such as the viewer may put nothing into. */
  #said({ albums, ...photo }: Photo): Said {
    const isThere = (label: string): boolean =>
      !this.#albums.isId(label) || this.#albums.namesOf([label]).ids.length > 0
    const isOpen = (label: string): boolean =>
      albumsIn([label]).every(id => this.#viewer === ALL_SEEING || this.#viewer.mayWithAlbum('add', id))
    return { ...photo, albums: albums.filter(label => isThere(label) && isOpen(label)) }
  }

  /** What is said of one is said of all that belong together. */
  async #labelPartners(id: PhotoId, { tags, albums, favourite, archived }: PhotoEdit): Promise<void> {
    const edit = { ...(tags && { tags }), ...(albums && { albums }), favourite, archived }
    if (Object.values(edit).every(said => said === undefined)) return
    const act = albums?.add === undefined ? 'edit' : 'give'
    for (const partner of this.#partnersOf(id, act)) await this.#edits.patch(partner, edit)
  }

  /** @returns the live photos that it belongs with, as far as they are known here, and may be changed so */
  #partnersOf(id: PhotoId, act: PhotoAct): PhotoId[] {
    const found = (one: PhotoId): Photo | undefined => {
      const { stored } = this.#parts.directory.lookUp({ kind: PHOTO_KIND, id: one })
      const photo = stored && viewPhoto(stored.record)
      return photo?.deleted === false ? photo : undefined
    }
    const photo = found(id)
    const { of } = photo === undefined ? ALONE : pairOf(photo.record)
    const entry = of === undefined ? photo : found(of)
    if (entry === undefined) return []
    const all = [entry.id, ...pairOf(entry.record).parts]
    const isTheirs = (photo: Photo | undefined): boolean =>
      photo !== undefined && this.#viewer.may(act, photoAudience(photo))
    return all.filter(one => one !== id && isTheirs(found(one)))
  }

  /** Harmless for a photo that is not deleted. @throws `ERR_PHOTO_NOT_FOUND`, `ERR_BYTES_GONE`, as {@link remove} */
  async undelete(id: PhotoId, condition?: Precondition): Promise<void> {
    if ((await this.#ensureRecord(id)) === 'buried')
      throw new SheafError('ERR_BYTES_GONE', undefined, { details: { photo_id: id } })
    await this.#edits.undelete(id, condition)
  }

  /**
   * Ends the undo period of deleted photos a day from now, or when it would have ended if that is sooner.
   *
   * @param ids - at most 10,000. @throws `ERR_BAD_PARAMETER`; errors of single photos are in their outcomes
   */
  batchPurge(ids: readonly PhotoId[]): Promise<readonly BatchOutcome[]> {
    return forEach(ids, async id => {
      if ((await this.#ensureRecord(id)) === 'recorded') await this.#edits.purge(id)
    })
  }

  /** Does that to those in the trash that were deleted last: call it until nothing is left. @throws as {@link list} */
  async emptyTrash(
    signal?: AbortSignal
  ): Promise<{ readonly outcomes: readonly BatchOutcome[]; readonly left: number }> {
    const query = { ...trashFilters('trash', this.#viewer.trashOwners()), limit: EMPTIED_MAX }
    const { records, total } = await this.#parts.directory.query(query, signal)
    const outcomes = await this.batchPurge(records.map(record => viewPhoto(record).id))
    return { outcomes, left: Math.max(0, total - outcomes.filter(({ error }) => error === undefined).length) }
  }

  /**
   * Brings back a photo that a grave has ended here before its time, while it is laid out.
   *
   * @throws `ERR_NOT_BURIED`, `ERR_BYTES_GONE`: it is not laid out here, or its bytes cannot be read
   */
  async exhume(id: PhotoId): Promise<void> {
    const key = { kind: PHOTO_KIND, id }
    const { grave } = this.#parts.directory.lookUp(key)
    if (grave === undefined) throw new SheafError('ERR_NOT_BURIED', undefined, { details: { photo_id: id } })
    const kept = await this.#parts.laidOut?.read(key)
    if (kept === undefined) throw new SheafError('ERR_BYTES_GONE', undefined, { details: { photo_id: id } })
    await this.#edits.exhume(id, kept)
  }

  /** @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED` */
  async conflicts(id: PhotoId): Promise<readonly PhotoConflict[]> {
    const photo = await this.#livePhoto(id)
    requireMay(this.#viewer, 'facts', photo)
    const { record } = photo
    return conflictVersions(record).map((version, i) => conflictOf(viewPhoto(record, version), i + 1))
  }

  /** Makes conflict version `n` the current one. @throws `ERR_PHOTO_NOT_FOUND`, `ERR_PHOTO_DELETED`, `ERR_NO_SUCH_CONFLICT` */
  async restore(id: PhotoId, n: number, condition?: Precondition): Promise<PhotoMeta> {
    await this.#ensureRecord(id)
    return this.#meta(await this.#edits.restore(id, n, condition))
  }

  /**
   * Live photos, newest first in the order that is asked for.
   *
   * @param signal - ends the reading
   * @throws `ERR_BAD_PARAMETER`, `ERR_BAD_CURSOR`, `ERR_INDEX_BUILDING`, the signal's reason
   */
  async list(query: ListQuery, signal?: AbortSignal): Promise<PhotoPage> {
    const { limit = LIST_LIMIT, cursor, count } = query
    const filters = filtersOf(query, this.#parts.directory, this.#albums)
    if (filters === undefined) return NOTHING_FOUND
    const audiences = await this.#viewer.audiences(actOfFilters(query))
    const { records, ...page } = await this.#parts.directory.query(
      { ...filters, audiences, limit, countsAll: count === 'exact', ...(cursor === undefined ? {} : { cursor }) },
      signal
    )
    const photos: ListedPhoto[] = []
    for (const [i, record] of records.entries()) {
      if (i % LISTED_IN_A_TURN === LISTED_IN_A_TURN - 1) await turn()
      photos.push(this.#listed(viewPhoto(record)))
    }
    return { photos, ...page }
  }

  /** @param ids - at most 10,000. @throws `ERR_BAD_PARAMETER`; errors of single photos are in their outcomes */
  batchDelete(ids: readonly PhotoId[]): Promise<readonly BatchOutcome[]> {
    return forEach(ids, async id => {
      if (!this.#isSeen(id)) throw photoNotFound(id)
      if (this.#parts.directory.lookUp({ kind: PHOTO_KIND, id }).grave === undefined) await this.#edits.remove(id)
    })
  }

  /** @param ids - at most 10,000. @throws `ERR_BAD_PARAMETER`; errors of single photos are in their outcomes */
  batchUndelete(ids: readonly PhotoId[]): Promise<readonly BatchOutcome[]> {
    return forEach(ids, id => this.undelete(id))
  }

  /** @param ids - at most 10,000. @throws `ERR_BAD_PARAMETER`; errors of single photos are in their outcomes */
  async batchEdit(ids: readonly PhotoId[], { shiftS, ...patch }: BatchPatch): Promise<readonly BatchOutcome[]> {
    const { albums, ...checked } = checkPatch(patch)
    const edit = { ...checked, ...(albums && { albums: setEditFor(this.#albums, albums) }) }
    const shift = shiftS === undefined ? undefined : checkShift(shiftS)
    return this.#editEach(ids, edit, photo => (shift === undefined ? {} : { takenAt: shifted(photo, shift) }))
  }

  /** @param albums - ids, and labels that are no album's. @throws as {@link batchEdit} */
  batchLabel(ids: readonly PhotoId[], albums: SetPatch): Promise<readonly BatchOutcome[]> {
    return this.#editEach(ids, checkPatch({ albums }), () => ({}))
  }

  #editEach(
    ids: readonly PhotoId[],
    edit: PhotoEdit,
    more: (photo: Photo) => PhotoEdit
  ): Promise<readonly BatchOutcome[]> {
    return forEach(ids, async id => {
      if (!this.#isSeen(id)) throw photoNotFound(id)
      await this.#edits.edit(id, photo => ({ ...edit, ...more(photo) }))
      await this.#labelPartners(id, edit)
    })
  }

  /**
   * Which originals are here, so that they need not be sent.
   *
   * @param digests - SHA-256, lower-case hex, at most 1,000
   * @returns the photos by digest
   * @throws `ERR_BAD_PARAMETER`, the signal's reason
   */
  async known(digests: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, KnownPhoto>> {
    if (digests.length > DIGESTS_MAX)
      throw badField('sha256', `at most ${DIGESTS_MAX} digests can be asked for at once`)
    return findKnown(this.#parts.directory, digests, this.#viewer, signal)
  }

  /**
   * Live photos by their ids, of this node alone: for lists that name photos by ids only.
   *
   * @param ids - at most 1,000
   * @returns those that are here, in that order
   * @throws `ERR_BAD_PARAMETER`, the signal's reason
   */
  async lookUp(ids: readonly PhotoId[], signal?: AbortSignal): Promise<ListedPhoto[]> {
    if (ids.length > LOOKUP_IDS_MAX) throw badField('ids', `at most ${LOOKUP_IDS_MAX} photos can be looked up at once`)
    const photos: ListedPhoto[] = []
    for (const [i, id] of ids.entries()) {
      if (i % LISTED_IN_A_TURN === LISTED_IN_A_TURN - 1) await turn()
      signal?.throwIfAborted()
      const { stored } = this.#parts.directory.lookUp({ kind: PHOTO_KIND, id })
      const photo = stored && this.#viewOrSkip(stored.record)
      if (photo?.deleted === false && this.#sees(photo)) photos.push(this.#listed(photo))
    }
    return photos
  }

  /** Every live photo, as of the start of the iteration. */
  async *dump(): AsyncGenerator<Omit<ListedPhoto, 'copies'>> {
    for await (const record of this.#parts.directory.records('photo')) {
      const photo = this.#viewOrSkip(record)
      if (photo !== undefined && !photo.deleted && this.#sees(photo)) yield { photo, ...this.#toldOf(photo) }
    }
  }

  /**
   * Asks the peers about a photo that is unknown here: another node may have stored it a moment ago.
   *
   * @returns whether there is a record, or only a grave
   * @throws `ERR_PHOTO_NOT_FOUND`, which tells whether every member was asked; also for one that is not seen, and where nobody
   *   knows any more who saw it
   */
  async #ensureRecord(id: PhotoId): Promise<'recorded' | 'buried'> {
    const known = (): 'recorded' | 'buried' | undefined => {
      const { stored, grave } = this.#parts.directory.lookUp({ kind: PHOTO_KIND, id })
      return stored !== undefined ? 'recorded' : grave && 'buried'
    }
    const complete = known() === undefined ? await this.#parts.fetchRecord?.(id) : true
    const state = known()
    if (state === undefined || !this.#isSeen(id)) throw photoNotFound(id, complete)
    return state
  }

  #isSeen(id: PhotoId): boolean {
    if (this.#viewer === ALL_SEEING) return true
    const { stored } = this.#parts.directory.lookUp({ kind: PHOTO_KIND, id })
    return stored !== undefined && this.#sees(viewPhoto(stored.record))
  }

  #sees(photo: Photo): boolean {
    return this.#viewer.may('see', photoAudience(photo))
  }

  /** @returns the labels of albums that photos are put into. @throws `ERR_ALBUM_NOT_FOUND`, `ERR_FORBIDDEN` */
  #labelsToAdd(albums: readonly string[]): string[] {
    const labels = labelsFor(this.#albums, albums)
    for (const id of albumsIn(labels)) requireMayWithAlbum(this.#viewer, 'add', id)
    return labels
  }

  /** A malformed record from a defective node must not hide the others. */
  #viewOrSkip(record: DirectoryRecord): Photo | undefined {
    try {
      return viewPhoto(record)
    } catch (err) {
      if (!hasCode(err, 'ERR_RECORD_MALFORMED')) throw err
      this.#parts.log.warn({ err, photo: record.id }, 'photo record is malformed; left out')
      return undefined
    }
  }

  #meta(record: DirectoryRecord): PhotoMeta {
    const photo = viewPhoto(record)
    requireLive(photo)
    return { ...this.#listed(photo), etag: metaEtag(record) }
  }

  #listed(photo: Photo): ListedPhoto {
    const blob = blobOf(photo, 'orig')
    const copies = blob === undefined ? 0 : this.#parts.copies.of(blob)
    return { photo, ...this.#toldOf(photo), copies }
  }

  #toldOf(photo: Photo): Pick<ListedPhoto, 'albums' | 'owner' | 'isBare'> {
    const { knowsPeople } = this.#viewer
    return {
      albums: this.#albums.namesOf(photo.albums),
      owner: knowsPeople ? ownerNamed(this.#parts.owners, photo.owner) : undefined,
      ...(!this.#viewer.may('facts', photoAudience(photo)) && { isBare: true })
    }
  }
}

/** @returns the copies of a node that is alone */
export function copiesOn(reader: Pick<PhotoReader, 'isLocal'>): PhotoCopies {
  return { of: blob => (reader.isLocal(blob) ? 1 : 0), waitFor: () => Promise.resolve(1) }
}

function missingSize(photo: Photo): SheafError {
  if (!isVisual(photo.contentType))
    return new SheafError(
      'ERR_NOT_FOUND',
      'the file is neither image nor video, so it has no sizes; request it without alt_key'
    )
  const { image } = viewLooks(photo.record)
  if (image === undefined) return new SheafError('ERR_NOT_READY')
  const reason = image.wants === undefined ? image.error : `no node can decode it: ${image.wants}`
  return new SheafError('ERR_NOT_FOUND', `sizes of this file cannot be made (${reason}); request it without alt_key`)
}

function missingMotion({ record, contentType }: Photo): SheafError {
  const isUnread = isVisual(contentType) && viewLooks(record).head === undefined
  if (isUnread) return new SheafError('ERR_NOT_READY', 'nobody has looked for a movie in this file yet; try again')
  return new SheafError('ERR_NOT_FOUND', 'there is no movie in this file; request it without part')
}

/** Its validators are of the place as well: a later reader may find another movie in the same bytes. */
function headOfMotion(photo: Photo, { at, length, contentType }: Motion): ContentHead {
  const name = photo.name.replace(/(\.[^.]*)?$/, contentType === 'video/mp4' ? '.mp4' : '.mov')
  const { etag, ...validators } = validatorsOf(photo, 'orig')
  return {
    audience: photoAudience(photo),
    photoId: photo.id,
    alt: 'orig',
    name,
    size: length,
    contentType,
    ...validators,
    etag: `${etag.slice(0, -1)}-${at}-${length}"`
  }
}

function headOf(photo: Photo, alt: AltKey): ContentHead {
  const { size, contentType } = photo.variants.get(alt) ?? photo
  const { id: photoId, name } = photo
  const audience = photoAudience(photo)
  return { photoId, alt, name, size, contentType, audience, ...validatorsOf(photo, alt) }
}

function conflictOf(photo: Photo, n: number): PhotoConflict {
  const { name, caption, rating, takenAt, deleted, version } = photo
  return { n, name, caption, rating, takenAt, place: placeOfPhoto(photo), deleted, version }
}

/** @throws `ERR_NO_DATE` */
function shifted({ id, takenAt }: Photo, seconds: number): TakenAt {
  if (takenAt === undefined) throw new SheafError('ERR_NO_DATE', undefined, { details: { photo_id: id } })
  const ms = takenAt.ms + seconds * 1_000
  if (ms < TAKEN_MS_MIN) throw badField('shift_s', 'there were no photographs so early')
  return { ...takenAt, ms }
}
