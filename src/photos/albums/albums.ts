import type { Clock } from '../../core/clock.js'
import { SheafError } from '../../core/errors.js'
import type { Random } from '../../core/random.js'
import type { Directory } from '../../directory/directory.js'
import type { LabelCount, LabelSpan, LabelsQuery } from '../../directory/labels.js'
import {
  ALBUM_KIND,
  type Album,
  type AlbumEdit,
  albumIdOfLabel,
  createAlbumChanges,
  deleteAlbumChanges,
  editAlbumChanges,
  exhumeAlbumChanges,
  type NewAlbum,
  restoreAlbumChanges,
  reviveAlbumChanges,
  viewAlbum
} from '../../domain/album.js'
import type { NewPlace } from '../../domain/album-tree.js'
import type { AlbumAct } from '../../domain/audience.js'
import { type AlbumId, newPhotoId, type PhotoId, parseAlbumId, type UserId } from '../../domain/ids.js'
import { ALBUMS_MAX } from '../../domain/limits.js'
import { PHOTO_KIND } from '../../domain/photo.js'
import { type Change, conflictVersions, type DirectoryRecord, shownVersion } from '../../domain/record.js'
import { photoOf } from '../../domain/terms.js'
import type { LaidOut } from '../../store/laid-out.js'
import type { RecordWriter } from '../../store/record-writer.js'
import { badField } from '../photo-rules.js'
import type { BatchOutcome } from '../photo-types.js'
import type { Photos } from '../photos.js'
import { ALL_SEEING, type Viewer } from '../viewers/viewer.js'
import {
  type AlbumCatalog,
  type AlbumPosition,
  type CatalogAlbum,
  comparePositions,
  positionOf
} from './album-catalog.js'
import { albumDeleted, albumNotFound, requireAlbum, requireLiveAlbum, requireMayWithAlbum } from './album-lookup.js'
import type { AlbumPlaces } from './album-places.js'
import { checkAlbumCaption, checkTitle } from './album-rules.js'

/** Photos that one call puts into the album that their label becomes. */
const REAL_PHOTOS_MAX = 1_000
const CHANGED_PHOTOS_MAX = 10_000

export interface AlbumsComponents {
  readonly directory: Pick<
    Directory,
    'lookUp' | 'getMany' | 'count' | 'countFor' | 'labels' | 'labelSpan' | 'language' | 'query'
  >
  readonly writer: Pick<RecordWriter, 'write' | 'revive' | 'admit'>
  readonly catalog: AlbumCatalog
  readonly places: Pick<AlbumPlaces, 'seenBy' | 'put' | 'prepare'>
  /** What graves have ended here before its time. Default: nothing. */
  readonly laidOut?: Pick<LaidOut, 'read'>
  readonly photos: Pick<Photos, 'batchLabel' | 'as'>
  readonly clock: Clock
  readonly random: Random
}

/** An album, or a label that photos have. */
export interface ListedAlbum extends LabelCount {
  /** Undefined: it is a label. */
  readonly album: Album | undefined
  /** What a person chose, if that is in it; else the photo taken last. Undefined: none, or a new index is being made. */
  readonly cover: PhotoId | undefined
  /** Undefined while a new index is being made, and where it has no photos. */
  readonly span: LabelSpan | undefined
  /** In which album it stands; undefined: in none that whoever asks sees. */
  readonly place: NewPlace | undefined
}

/** Which albums are listed, and labels where nothing is said of where they stand, or that it is nowhere. */
export interface AlbumsQuery extends LabelsQuery {
  /** Only those that stand in that one, or in none that whoever asks sees. Default: wherever they stand. */
  readonly parent?: AlbumId | 'none' | undefined
}

export interface AlbumPage {
  readonly albums: readonly ListedAlbum[]
  /** Where the next page begins; undefined: this is the last one. */
  readonly nextAfter: string | undefined
}

/** How far a label has become an album. */
export interface MadeReal {
  readonly album: ListedAlbum
  /** The photos that this call put into it, or could not. */
  readonly outcomes: readonly BatchOutcome[]
  /** Photos on this node that still have the label. */
  readonly left: number
}

/** Everything that somebody can do with albums. Photos are in one by a label with its id, see photo.ts. */
export class Albums {
  readonly #components: AlbumsComponents
  readonly #viewer: Viewer

  constructor(components: AlbumsComponents, viewer = ALL_SEEING) {
    this.#components = components
    this.#viewer = viewer
  }

  /** @returns the same albums, as far as somebody sees them and may change them */
  as(viewer: Viewer): Albums {
    if (viewer === this.#viewer) return this
    return new Albums({ ...this.#components, photos: this.#components.photos.as(viewer) }, viewer)
  }

  /**
   * @param parent - the album that it stands in; undefined: in none
   * @throws `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_ALBUMS`, `ERR_ALBUM_NOT_FOUND` and others of the parent, what the store throws
   */
  async create(album: NewAlbum, parent?: AlbumId): Promise<ListedAlbum> {
    const checked = { ...album, title: checkTitle(album.title) }
    checkAlbumCaption(album.caption)
    const { clock, random, writer, places } = this.#components
    writer.admit()
    this.#requireRoom()
    const id = newPhotoId(clock, random) as string as AlbumId
    if (parent !== undefined) await places.prepare(this.#viewer, id, album.maker, parent)
    const record = await writer.write({ kind: ALBUM_KIND, id }, () => createAlbumChanges(checked))
    return this.#listed(requireView(record))
  }

  /** @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
  async get(id: AlbumId): Promise<ListedAlbum> {
    requireMayWithAlbum(this.#viewer, 'see', id)
    return this.#listed(requireAlbum(this.#components.directory, id).album)
  }

  /** @throws `ERR_BAD_PARAMETER`, `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`, what the store throws */
  async edit(id: AlbumId, edit: AlbumEdit): Promise<ListedAlbum> {
    const { title, caption } = edit
    checkAlbumCaption(caption)
    const checked = title === undefined ? edit : { ...edit, title: checkTitle(title) }
    const record = await this.#write(id, 'edit', before => {
      requireLiveAlbum(id, before)
      return editAlbumChanges(before, checked)
    })
    return this.#listed(requireView(record))
  }

  /** Puts it into another album, or takes it out. @throws what `AlbumPlaces` throws */
  async move(id: AlbumId, place: NewPlace): Promise<ListedAlbum> {
    const { directory, writer, places } = this.#components
    writer.admit()
    await places.put(this.#viewer, id, place)
    return this.#listed(requireAlbum(directory, id).album)
  }

  /** Its photos stay, and albums in it stand in none. Deleting again is harmless. @throws `ERR_ALBUM_NOT_FOUND`, what the store throws */
  async remove(id: AlbumId): Promise<void> {
    const { grave } = this.#components.directory.lookUp({ kind: ALBUM_KIND, id })
    if (grave !== undefined && this.#viewer === ALL_SEEING) return
    await this.#write(id, 'delete', before => deleteAlbumChanges(before))
  }

  /**
   * Its photos are in it again. Harmless where it is not deleted.
   *
   * @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`: too long ago; `ERR_TOO_MANY_ALBUMS`, what the store throws
   */
  async undelete(id: AlbumId): Promise<ListedAlbum> {
    const record = await this.#write(id, 'delete', before => {
      if (shownVersion(before).deleted) this.#requireRoom()
      return reviveAlbumChanges(before)
    })
    return this.#listed(requireView(record))
  }

  /**
   * Brings back an album that a grave has ended here before its time, while it is laid out.
   *
   * @throws `ERR_NOT_BURIED`, `ERR_ALBUM_DELETED`: it is not laid out here; `ERR_TOO_MANY_ALBUMS`, what the store throws
   */
  async exhume(id: AlbumId): Promise<void> {
    const { writer, laidOut } = this.#components
    const key = { kind: ALBUM_KIND, id }
    await writer.revive(key, async () => {
      const kept = await laidOut?.read(key)
      if (kept === undefined) throw albumDeleted(id)
      this.#requireRoom()
      return exhumeAlbumChanges(kept)
    })
  }

  /** @returns versions of concurrent edits that lost, greatest first. @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
  async conflicts(id: AlbumId): Promise<readonly Album[]> {
    requireMayWithAlbum(this.#viewer, 'see', id)
    const { record } = requireAlbum(this.#components.directory, id)
    return conflictVersions(record).flatMap(version => viewAlbum(record, version) ?? [])
  }

  /**
   * Makes a version that lost the current one.
   *
   * @param n - from 1, in the order of {@link conflicts}
   * @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`, `ERR_NO_SUCH_CONFLICT`, what the store throws
   */
  async restore(id: AlbumId, n: number): Promise<ListedAlbum> {
    const record = await this.#write(id, 'edit', before => {
      requireLiveAlbum(id, before)
      return restoreAlbumChanges(before, n)
    })
    return this.#listed(requireView(record))
  }

  /**
   * Puts photos into an album, and takes others out of it.
   *
   * @param photos - at most 10,000, each in one of the two
   * @returns the outcome for each: those added, then those removed
   * @throws `ERR_BAD_PARAMETER`, `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`; errors of single photos are in their outcomes
   */
  async change(
    id: AlbumId,
    { add = [], remove = [] }: { readonly add?: readonly PhotoId[]; readonly remove?: readonly PhotoId[] }
  ): Promise<{ readonly added: readonly BatchOutcome[]; readonly removed: readonly BatchOutcome[] }> {
    if (add.length + remove.length > CHANGED_PHOTOS_MAX)
      throw badField('add', `at most ${CHANGED_PHOTOS_MAX} photos can be added and removed at once`)
    const adding = new Set(add)
    if (remove.some(photo => adding.has(photo)))
      throw badField('remove', 'a photo is either added or removed, not both')
    requireMayWithAlbum(this.#viewer, add.length > 0 ? 'add' : 'see', id)
    requireAlbum(this.#components.directory, id)
    const { photos } = this.#components
    const added = await photos.batchLabel(add, { add: [id] })
    const removed = await photos.batchLabel(remove, { remove: [id] })
    return { added, removed }
  }

  /**
   * Makes a label an album: its photos lose the label and are in the album instead, up to 1,000 a call. May be called again
   * at any time, on any node, until none are left: it is always the same album, which may have another title by now.
   *
   * @param maker - whose album it becomes, one of his own; undefined: nobody's, the same for all
   * @throws `ERR_BAD_PARAMETER`, `ERR_ALBUM_NOT_FOUND`: no photo here has the label; `ERR_TOO_MANY_ALBUMS`
   */
  async makeReal(name: string, maker?: UserId, signal?: AbortSignal): Promise<MadeReal> {
    const title = checkTitle(name)
    const { directory, writer, photos } = this.#components
    writer.admit()
    const id = albumIdOfLabel(title, maker)
    const term = directory.language.labelTerm('album', title)
    const key = { kind: ALBUM_KIND, id }
    const audiences = await this.#viewer.audiences()
    const labelled = { terms: [term], words: [], audiences }
    const { records } = await directory.query({ ...labelled, limit: REAL_PHOTOS_MAX }, signal)
    const { stored } = directory.lookUp(key)
    const isLive = stored !== undefined && !shownVersion(stored.record).deleted
    if (records.length === 0 && !isLive)
      throw new SheafError('ERR_ALBUM_NOT_FOUND', 'no photo here has that label', { details: { name: title } })
    if (!isLive) this.#requireRoom()
    const record = await writer.write(key, before => {
      if (before !== undefined) requireMayWithAlbum(this.#viewer, shownVersion(before).deleted ? 'delete' : 'add', id)
      return realChanges(before, title, maker)
    })
    const ids = records.map(photo => photo.id as PhotoId)
    const outcomes = await photos.batchLabel(ids, { add: [id], remove: [title] })
    return { album: await this.#listed(requireView(record)), outcomes, left: await this.#countOf(term) }
  }

  /** Albums and labels in the order of their titles. @throws `ERR_ALBUM_NOT_FOUND` of the parent, `ERR_DIRECTORY_UNAVAILABLE` */
  async list({ prefix = '', after, limit, parent }: AlbumsQuery): Promise<AlbumPage> {
    const { directory, catalog } = this.#components
    const isInside = parent !== undefined && parent !== 'none'
    if (isInside) requireMayWithAlbum(this.#viewer, 'see', parent)
    const behind = after === undefined ? undefined : this.#positionOf(after)
    const labelsBehind = behind?.order.toString()
    const audiences = await this.#viewer.audiences()
    const query = { prefix, audiences, limit: limit + 1, ...(labelsBehind !== undefined && { after: labelsBehind }) }
    // what has the form of an id may be an album that this node has not heard of yet
    const isOmitted = (label: string): boolean =>
      catalog.isId(label) || (this.#viewer !== ALL_SEEING && parseAlbumId(label) !== undefined)
    const labels = isInside ? [] : await directory.labels('album', query, isOmitted)
    const isListed = (id: AlbumId): boolean =>
      this.#viewer.mayWithAlbum('see', id) && (parent === undefined || this.#parentOf(id) === parent)
    const found = [
      ...labels.map(label => ({ ...positionOf(label.name), label })),
      ...catalog.page(prefix, behind, limit + 1, isListed).map(album => ({ ...album, label: undefined }))
    ].sort(comparePositions)
    const page = found.slice(0, limit)
    const records = await directory.getMany(page.flatMap(({ id }) => (id === '' ? [] : { kind: ALBUM_KIND, id })))
    const views = new Map(records.map(stored => [stored?.record.id, stored && viewAlbum(stored.record)]))
    const albums: ListedAlbum[] = []
    for (const { id, label } of page) {
      const album = views.get(id)
      if (label !== undefined) albums.push(await this.#listedLabel(label))
      else if (album !== undefined) albums.push(await this.#listed(album))
    }
    const last = page.at(-1)
    return { albums, nextAfter: found.length > limit ? (last?.label?.name ?? last?.id) : undefined }
  }

  /** All that are more than a label, in the order of their titles, without what is in them. */
  titles(): readonly CatalogAlbum[] {
    const { catalog } = this.#components
    return catalog.page('', undefined, catalog.size, id => this.#viewer.mayWithAlbum('see', id))
  }

  /** @param after - the name of a label, or the id of an album, also of one that was deleted meanwhile */
  #positionOf(after: string): AlbumPosition {
    const { directory } = this.#components
    const id = parseAlbumId(after)
    const record = id && directory.lookUp({ kind: ALBUM_KIND, id }).stored?.record
    const album = record && viewAlbum(record)
    return album === undefined ? positionOf(after) : positionOf(album.title, album.id)
  }

  async #listedLabel({ name, count }: LabelCount): Promise<ListedAlbum> {
    const span = await this.#components.directory.labelSpan('album', name, await this.#viewer.audiences())
    return { name, count, album: undefined, cover: span?.newest, span, place: undefined }
  }

  #parentOf(id: AlbumId): AlbumId | 'none' {
    return this.#components.places.seenBy(this.#viewer, id)?.parent ?? 'none'
  }

  async #countOf(term: string): Promise<number> {
    const { directory } = this.#components
    const audiences = await this.#viewer.audiences()
    return audiences === undefined ? directory.count(term) : directory.countFor(term, audiences)
  }

  /** Whoever sees an album sees all that is in it. */
  async #listed(album: Album): Promise<ListedAlbum> {
    const { directory } = this.#components
    const { id, title } = album
    const count = directory.count(directory.language.labelTerm('album', id))
    const span = count === 0 ? undefined : await directory.labelSpan('album', id)
    const isShown = count > 0 && album.cover !== undefined && this.#isIn(id, album.cover)
    const place = this.#components.places.seenBy(this.#viewer, id)
    return { name: title, count, album, cover: isShown ? album.cover : span?.newest, span, place }
  }

  #isIn(album: AlbumId, id: PhotoId): boolean {
    const record = this.#components.directory.lookUp({ kind: PHOTO_KIND, id }).stored?.record
    const photo = record && photoOf(record)
    return photo !== undefined && !photo.deleted && photo.albums.includes(album)
  }

  async #write(
    id: AlbumId,
    act: AlbumAct,
    decide: (before: DirectoryRecord) => readonly Change[]
  ): Promise<DirectoryRecord> {
    const { directory, writer } = this.#components
    writer.admit()
    const key = { kind: ALBUM_KIND, id }
    return writer.write(key, before => {
      requireMayWithAlbum(this.#viewer, act, id)
      if (directory.lookUp(key).grave !== undefined) throw albumDeleted(id)
      if (before === undefined) throw albumNotFound(id)
      return decide(before)
    })
  }

  /** @throws `ERR_TOO_MANY_ALBUMS` */
  #requireRoom(): void {
    if (this.#components.catalog.size >= ALBUMS_MAX) throw new SheafError('ERR_TOO_MANY_ALBUMS')
  }
}

function realChanges(before: DirectoryRecord | undefined, title: string, maker: UserId | undefined): readonly Change[] {
  return before === undefined ? createAlbumChanges({ title, maker }) : reviveAlbumChanges(before, title)
}

function requireView(record: DirectoryRecord): Album {
  return requireLiveAlbum(record.id as AlbumId, record)
}
