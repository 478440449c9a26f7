import { hasCode, SheafError } from '../core/errors.js'
import { albumsIn, photoAudience } from '../domain/audience.js'
import { GENERATION_MAX } from '../domain/entry.js'
import { hlcMs } from '../domain/hlc.js'
import type { ActorId, PhotoId } from '../domain/ids.js'
import {
  ALT_KEYS,
  type AltKey,
  deleteChanges,
  editChanges,
  exhumeChanges,
  metaEtag,
  PHOTO_KIND,
  type Photo,
  type PhotoEdit,
  purgeChanges,
  restoreChanges,
  undeleteChanges,
  viewPhoto
} from '../domain/photo.js'
import type { DirectoryRecord } from '../domain/record.js'
import { endOf } from '../domain/tombstone.js'
import { blobOf, dataDraft, manifestDraft, needleCount, type PhotoBlob } from '../store/photo-needles.js'
import { type RecordWriter, requireEpoch, requireLive } from '../store/record-writer.js'
import type { NeedleStore } from '../volumes/needle-store.js'
import { requireMayWithAlbum } from './albums/album-lookup.js'
import type { PhotoReader } from './photo-reader.js'
import { checkEdited, requirePast } from './photo-rules.js'
import type { ContentHead, Precondition } from './photo-types.js'
import { requireMay, type Viewer } from './viewers/viewer.js'

export interface PhotoEditsComponents {
  readonly store: NeedleStore
  readonly writer: RecordWriter
  readonly reader: PhotoReader
  /** The current epoch. */
  readonly actor: () => ActorId
}

/** Changes to existing photos, as far as somebody may make them. Each resolves to the record after the change. */
export class PhotoEdits {
  readonly #store: NeedleStore
  readonly #writer: RecordWriter
  readonly #reader: PhotoReader
  readonly #actor: () => ActorId
  readonly #viewer: Viewer

  constructor({ store, writer, reader, actor }: PhotoEditsComponents, viewer: Viewer) {
    this.#store = store
    this.#writer = writer
    this.#reader = reader
    this.#actor = actor
    this.#viewer = viewer
  }

  /** @param checked - by `checkPatch` */
  patch(id: PhotoId, checked: PhotoEdit, condition?: Precondition): Promise<DirectoryRecord> {
    return this.edit(id, () => checked, condition)
  }

  /** @param editOf - gives the edit of the photo as it is then */
  edit(id: PhotoId, editOf: (photo: Photo) => PhotoEdit, condition?: Precondition): Promise<DirectoryRecord> {
    return this.#writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'edit', photo)
      requireLive(photo)
      condition?.({ etag: metaEtag(before) })
      const edit = editOf(photo)
      this.#requireAlbums(photo, edit)
      if (edit.takenAt) requirePast(edit.takenAt, hlcMs(photo.createdAt))
      return { changes: editChanges(photo, edit), check: checkEdited }
    })
  }

  remove(id: PhotoId, condition?: Precondition): Promise<DirectoryRecord> {
    return this.#writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'delete', photo)
      condition?.(validatorsOf(photo, 'orig'))
      return photo.deleted ? undefined : { changes: deleteChanges(before) }
    })
  }

  /** @param allow - throws to refuse. @throws `ERR_PHOTO_DELETED` */
  removeLive(id: PhotoId, allow: (photo: Photo) => void): Promise<DirectoryRecord> {
    return this.#writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'delete', photo)
      requireLive(photo)
      allow(photo)
      return { changes: deleteChanges(before) }
    })
  }

  /** Harmless where that was said before. @throws `ERR_PHOTO_NOT_DELETED` */
  purge(id: PhotoId): Promise<DirectoryRecord> {
    return this.#writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'delete', photo)
      if (!photo.deleted) throw new SheafError('ERR_PHOTO_NOT_DELETED', undefined, { details: { photo_id: id } })
      return endOf(before)?.isPurgeWanted === true ? undefined : { changes: purgeChanges(before) }
    })
  }

  /**
   * Restores a deleted photo. Writes the bytes again under the next generation, then the record that names them, so that
   * neither a delete still in transit nor the purge of the old needles can remove them. Omits a size whose bytes are gone.
   *
   * @throws `ERR_BYTES_GONE` when the original's bytes are gone
   */
  undelete(id: PhotoId, condition?: Precondition): Promise<DirectoryRecord> {
    return this.#writer.edit(id, async (before, photo) => {
      requireMay(this.#viewer, 'delete', photo)
      condition?.(validatorsOf(photo, 'orig'))
      if (!photo.deleted) return undefined
      if (photo.generation === GENERATION_MAX)
        throw new SheafError('ERR_BYTES_GONE', 'the photo was undeleted too often; upload it again', {
          details: { photo_id: id }
        })
      const restored = await this.#appendAll(photo, photo.generation + 1)
      return { changes: undeleteChanges(before, restored), purpose: 'upload' }
    })
  }

  /**
   * Brings back a photo of which only the grave is left here, in a life of its own that the grave does not end.
   *
   * @param old - the record as it was before
   * @throws `ERR_NOT_BURIED`, `ERR_BYTES_GONE`
   */
  exhume(id: PhotoId, old: DirectoryRecord): Promise<DirectoryRecord> {
    return this.#writer.revive({ kind: PHOTO_KIND, id }, async generation => {
      const restored = await this.#appendAll(viewPhoto(old), generation)
      return exhumeChanges(old, restored)
    })
  }

  /** Writes the bytes of all sizes again. @returns those that could be read. @throws `ERR_BYTES_GONE` without the original */
  async #appendAll(photo: Photo, generation: number): Promise<AltKey[]> {
    const restored: AltKey[] = []
    for (const alt of ALT_KEYS) {
      const blob = blobOf(photo, alt)
      if (blob === undefined) continue
      if (await this.#appendAgain(photo, blob, generation)) restored.push(alt)
      else if (alt === 'orig') throw new SheafError('ERR_BYTES_GONE', undefined, { details: { photo_id: photo.id } })
    }
    return restored
  }

  /** @param n - from 1, as `conflicts` numbers them */
  restore(id: PhotoId, n: number, condition?: Precondition): Promise<DirectoryRecord> {
    return this.#writer.edit(id, (before, photo) => {
      requireMay(this.#viewer, 'edit', photo)
      requireLive(photo)
      condition?.({ etag: metaEtag(before) })
      return { changes: restoreChanges(before, n), check: checkEdited }
    })
  }

  /** @throws `ERR_FORBIDDEN`, `ERR_ALBUM_NOT_FOUND` */
  #requireAlbums(photo: Photo, { albums: { add = [], remove = [] } = {} }: PhotoEdit): void {
    const viewer = this.#viewer
    if (add.length > 0) requireMay(viewer, 'give', photo)
    const isOwn = viewer.may('give', photoAudience(photo))
    for (const id of albumsIn(add)) requireMayWithAlbum(viewer, 'add', id)
    for (const id of albumsIn(remove)) if (!isOwn && photo.albums.includes(id)) requireMayWithAlbum(viewer, 'edit', id)
  }

  /** @returns false when some bytes of the blob are no longer reachable */
  async #appendAgain(photo: Photo, old: PhotoBlob, generation: number): Promise<boolean> {
    const blob = { ...old, generation }
    const chunked = blob.chunkBytes > 0
    const epoch = this.#actor()
    for (let chunk = 0; chunk < needleCount(blob); chunk++) {
      const bytes = await this.#readOld(old, chunk)
      if (bytes === undefined) return false
      await this.#store.append([dataDraft(photo, blob, chunk, chunked, bytes)], 'upload')
    }
    if (chunked) {
      requireEpoch(this.#actor, epoch)
      await this.#store.append([manifestDraft(photo, blob)], 'upload')
    }
    return true
  }

  async #readOld(blob: PhotoBlob, chunk: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#reader.readNeedle(blob, chunk)
    } catch (err) {
      if (hasCode(err, 'ERR_BYTES_UNREACHABLE')) return undefined
      throw err
    }
  }
}

/** @returns what tells the bytes of a photo from others, of a deleted one, too: its ETag and when it was created */
export function validatorsOf(photo: Photo, alt: AltKey): Pick<ContentHead, 'etag' | 'lastModifiedMs'> {
  const { sha256 } = photo.variants.get(alt) ?? photo
  return { etag: `"${sha256}"`, lastModifiedMs: hlcMs(photo.createdAt) }
}
