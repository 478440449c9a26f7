import { SheafError } from '../../core/errors.js'
import type { AudienceSet, Onlooker } from '../../domain/audience.js'
import { type AlbumAct, type PhotoAct, type PhotoAudience, photoAudience } from '../../domain/audience.js'
import type { AlbumId } from '../../domain/ids.js'
import type { Photo } from '../../domain/photo.js'
import { photoNotFound } from '../../store/record-writer.js'

/** Somebody for whom photos are read and changed. All that does so asks the viewer, and only that decides. */
export interface Viewer {
  /** Who it is, as other nodes are told; undefined: one who sees all. */
  readonly onlooker: Onlooker | undefined
  may(act: PhotoAct, audience: PhotoAudience): boolean
  /** @param id - of an album, a deleted one or one that is not known here as well: nobody may do anything with that */
  mayWithAlbum(act: AlbumAct, id: AlbumId): boolean
  /** @returns whose photos that one sees; undefined: all. @throws `ERR_INDEX_BUILDING` */
  audiences(): Promise<AudienceSet | undefined>
  /** As `ownersToDelete` says; undefined: all of them. */
  trashOwners(): readonly string[] | undefined
}

/** The node itself, and everybody where there are no accounts. */
export const ALL_SEEING: Viewer = {
  onlooker: undefined,
  may: () => true,
  mayWithAlbum: () => true,
  audiences: async () => undefined,
  trashOwners: () => undefined
}

/** @throws `ERR_PHOTO_NOT_FOUND` where that one does not see it, `ERR_FORBIDDEN` */
export function requireMay(viewer: Viewer, act: PhotoAct, photo: Photo): void {
  const audience = photoAudience(photo)
  if (viewer.may(act, audience)) return
  if (!viewer.may('see', audience)) throw photoNotFound(photo.id)
  throw new SheafError('ERR_FORBIDDEN', FORBIDDEN[act], { details: { photo_id: photo.id } })
}

const FORBIDDEN: Readonly<Record<PhotoAct, string>> = {
  see: 'this photo is not open to you',
  edit: 'only whoever owns a photo, and managers of an album that it is in, can change it',
  give: 'only whoever owns a photo can put it into albums',
  delete: 'only whoever owns a photo can delete and restore it; what belongs to everyone, an administrator'
}
