import { SheafError } from '../../core/errors.js'
import type { Directory } from '../../directory/directory.js'
import { ALBUM_KIND, type Album, viewAlbum } from '../../domain/album.js'
import type { AlbumId } from '../../domain/ids.js'
import type { DirectoryRecord } from '../../domain/record.js'

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
