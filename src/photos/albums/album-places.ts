import { SheafError } from '../../core/errors.js'
import { eachInTurns } from '../../core/turn.js'
import type { Directory } from '../../directory/directory.js'
import { aclKey, viewAcl } from '../../domain/acl.js'
import { type NewPlace, placeChanges, writtenOwner } from '../../domain/album-tree.js'
import type { AlbumId, UserId } from '../../domain/ids.js'
import { ALBUM_DEPTH_MAX } from '../../domain/limits.js'
import type { RecordWriter } from '../../store/record-writer.js'
import { badField } from '../photo-rules.js'
import type { KnownAlbums } from '../viewers/known-albums.js'
import type { Viewer } from '../viewers/viewer.js'
import type { AlbumCatalog } from './album-catalog.js'
import { requireAlbum, requireMayWithAlbum } from './album-lookup.js'

export interface AlbumPlacesComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  readonly writer: Pick<RecordWriter, 'write'>
  readonly catalog: Pick<AlbumCatalog, 'ids'>
  readonly known: Pick<KnownAlbums, 'placesAbove'>
}

/** In which albums others stand. */
export class AlbumPlaces {
  readonly #components: AlbumPlacesComponents

  constructor(components: AlbumPlacesComponents) {
    this.#components = components
  }

  /** @returns the album that it stands in, as far as that viewer sees that */
  seenBy(viewer: Viewer, id: AlbumId): NewPlace | undefined {
    const [place] = this.#components.known.placesAbove(id)
    return place !== undefined && viewer.mayWithAlbum('see', place.parent) ? place : undefined
  }

  /**
   * @throws `ERR_ALBUM_LOOP`, `ERR_BAD_PARAMETER`: too deep; `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED`, `ERR_FORBIDDEN`, what the store
   *   throws
   */
  async put(viewer: Viewer, id: AlbumId, place: NewPlace): Promise<void> {
    const { directory, writer } = this.#components
    this.#requireMay(viewer, id, place.parent)
    if (place.parent !== undefined) requireDepth((await this.#heightOf(id)) + this.#depthIn(place.parent))
    // an album that nobody has shared or put anywhere has no record, and gets none by standing in none
    if (place.parent === undefined && directory.lookUp(aclKey(id)).stored === undefined) return
    await writer.write(aclKey(id), record => {
      this.#requireMay(viewer, id, place.parent)
      return placeChanges(record, writtenOwner(viewAcl(record), requireAlbum(directory, id).album.maker), place)
    })
  }

  /**
   * Says where an album stands that is made only after that: so it is never seen anywhere else.
   *
   * @param maker - whose it will be
   * @throws as {@link put}
   */
  async prepare(viewer: Viewer, id: AlbumId, maker: UserId | undefined, parent: AlbumId): Promise<void> {
    this.#requireMayPutInto(viewer, parent)
    requireDepth(this.#depthIn(parent))
    await this.#components.writer.write(aclKey(id), record => {
      this.#requireMayPutInto(viewer, parent)
      return placeChanges(record, maker, { parent, inherits: true })
    })
  }

  #requireMay(viewer: Viewer, id: AlbumId, parent: AlbumId | undefined): void {
    const { directory, known } = this.#components
    requireMayWithAlbum(viewer, 'see', id)
    requireAlbum(directory, id)
    if (parent === undefined) {
      const [now] = known.placesAbove(id)
      if (now === undefined || !viewer.mayWithAlbum('edit', now.parent)) requireMayWithAlbum(viewer, 'move', id)
      return
    }
    requireMayWithAlbum(viewer, 'move', id)
    this.#requireMayPutInto(viewer, parent)
    if (parent === id || known.placesAbove(parent).some(above => above.parent === id))
      throw new SheafError('ERR_ALBUM_LOOP', undefined, { details: { album_id: id, parent } })
  }

  #requireMayPutInto(viewer: Viewer, parent: AlbumId): void {
    requireMayWithAlbum(viewer, 'edit', parent)
    requireAlbum(this.#components.directory, parent)
  }

  #depthIn(parent: AlbumId): number {
    return this.#components.known.placesAbove(parent).length + 1
  }

  /** @returns how deep others stand in it */
  async #heightOf(id: AlbumId): Promise<number> {
    const { catalog, known } = this.#components
    let height = 0
    await eachInTurns(catalog.ids(), other => {
      height = Math.max(height, known.placesAbove(other).findIndex(({ parent }) => parent === id) + 1)
    })
    return height
  }
}

/** @throws `ERR_BAD_PARAMETER` */
function requireDepth(depth: number): void {
  if (depth > ALBUM_DEPTH_MAX)
    throw badField('parent', `albums can stand in each other at most ${ALBUM_DEPTH_MAX} deep`)
}
