import { SheafError } from '../../core/errors.js'
import type { AudienceSet, Onlooker } from '../../domain/audience.js'
import {
  type AlbumAct,
  type PhotoAct,
  type PhotoAudience,
  photoAudience,
  type SeeingAct
} from '../../domain/audience.js'
import type { AlbumId, UserId } from '../../domain/ids.js'
import type { Photo } from '../../domain/photo.js'
import { photoNotFound } from '../../store/record-writer.js'

/** Somebody for whom photos are read and changed. All that does so asks the viewer, and only that decides. */
export interface Viewer {
  /** Who it is, as other nodes are told; undefined: one who sees all. */
  readonly onlooker: Onlooker | undefined
  /** Whether that one is told the names of accounts. */
  readonly knowsPeople: boolean
  may(act: PhotoAct, audience: PhotoAudience): boolean
  /** @param id - of an album, a deleted one or one that is not known here as well: nobody may do anything with that */
  mayWithAlbum(act: AlbumAct, id: AlbumId): boolean
  /** @returns whose photos that one sees, or knows the facts of; undefined: all. @throws `ERR_INDEX_BUILDING` */
  audiences(act?: SeeingAct): Promise<AudienceSet | undefined>
  /** As `ownersToDelete` says; undefined: all of them. */
  trashOwners(): readonly string[] | undefined
  /**
   * @param albums - that the photo is to be in, by id
   * @returns whose a photo becomes that a guest uploads by a link; undefined: whoever uploads, does so for himself
   * @throws `ERR_FORBIDDEN`, `ERR_BAD_PARAMETER` for albums that no link of his is of
   */
  guestUpload(albums: readonly string[]): GuestUpload | undefined
}

export interface GuestUpload {
  readonly album: AlbumId
  /** Of the album. */
  readonly owner: UserId
  readonly by: string
}

/** The node itself, and everybody where there are no accounts. */
export const ALL_SEEING: Viewer = {
  onlooker: undefined,
  knowsPeople: true,
  may: () => true,
  mayWithAlbum: () => true,
  audiences: async () => undefined,
  trashOwners: () => undefined,
  guestUpload: () => undefined
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
  facts: 'the link that shows you this photo tells nothing else of it',
  original: 'the link that shows you this photo gives no originals: ask for a size, such as alt_key=large',
  edit: 'only whoever owns a photo, and managers of an album that it is in, can change it',
  give: 'only whoever owns a photo can put it into albums',
  delete: 'only whoever owns a photo can delete and restore it; what belongs to everyone, an administrator'
}
