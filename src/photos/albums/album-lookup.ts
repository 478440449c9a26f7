import { SheafError } from '../../core/errors.js'
import type { Directory } from '../../directory/directory.js'
import { ALBUM_KIND, type Album, viewAlbum } from '../../domain/album.js'
import type { AlbumAct } from '../../domain/audience.js'
import type { AlbumId } from '../../domain/ids.js'
import type { DirectoryRecord } from '../../domain/record.js'
import type { Viewer } from '../viewers/viewer.js'

const FORBIDDEN: Readonly<Record<AlbumAct, string>> = {
  see: 'this album is not open to you',
  add: 'only contributors and managers of an album, and its owner, can put photos into it',
  edit: 'only managers of an album, and its owner, can change it',
  share: 'only managers of an album, and its owner, can share it',
  move:
    'only whoever owns an album can put it into another one; one that belongs to everyone, an administrator; whoever may change ' +
    'that other one can take it out',
  delete: 'only whoever owns an album can delete and restore it; one that belongs to everyone, an administrator'
}

/** @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
export function requireAlbum(
  directory: Pick<Directory, 'lookUp'>,
  id: AlbumId
): { readonly album: Album; readonly record: DirectoryRecord } {
  const { stored, grave } = directory.lookUp({ kind: ALBUM_KIND, id })
  if (grave !== undefined) throw albumDeleted(id)
  if (stored === undefined) throw albumNotFound(id)
  return { album: requireLiveAlbum(id, stored.record), record: stored.record }
}

/** @throws `ERR_ALBUM_NOT_FOUND`, `ERR_ALBUM_DELETED` */
export function requireLiveAlbum(id: AlbumId, record: DirectoryRecord | undefined): Album {
  const album = record && viewAlbum(record)
  if (album === undefined) throw albumNotFound(id)
  if (album.deleted) throw albumDeleted(id)
  return album
}

export function albumNotFound(id: AlbumId): SheafError {
  return new SheafError('ERR_ALBUM_NOT_FOUND', undefined, { details: { album_id: id } })
}

export function albumDeleted(id: AlbumId): SheafError {
  return new SheafError('ERR_ALBUM_DELETED', undefined, { details: { album_id: id } })
}

/** @throws `ERR_ALBUM_NOT_FOUND` where that one does not see it, `ERR_FORBIDDEN` */
export function requireMayWithAlbum(viewer: Viewer, act: AlbumAct, id: AlbumId): void {
  if (viewer.mayWithAlbum(act, id)) return
  if (!viewer.mayWithAlbum('see', id)) throw albumNotFound(id)
  throw new SheafError('ERR_FORBIDDEN', FORBIDDEN[act], { details: { album_id: id } })
}
