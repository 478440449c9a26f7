import { type AlbumId, parseAlbumId } from '../../domain/ids.js'
import type { SetEdit } from '../../domain/photo.js'

/** The albums of a photo as people see them: by title, or by name where it is a label. */
export interface PhotoAlbums {
  /** Without duplicates, sorted. */
  readonly titles: readonly string[]
  /** Of those that are more than a label; sorted. */
  readonly ids: readonly AlbumId[]
}

/** What albums are called. A photo's record names them by id, people by title. */
export interface AlbumNames {
  /** Whether the label is the id of an album, deleted ones included. */
  isId(label: string): boolean
  /** @returns the albums with that title, however it is written */
  withTitle(title: string): readonly AlbumId[]
  namesOf(labels: readonly string[]): PhotoAlbums
}

/** Where albums are labels only. */
export const LABELS_ONLY: AlbumNames = {
  isId: () => false,
  withTitle: () => [],
  namesOf: labels => ({ titles: labels, ids: [] })
}

/** @returns labels to put on a photo for what a person calls its albums: an id where exactly one album has that title */
export function labelsFor(names: AlbumNames, albums: readonly string[]): string[] {
  return albums.map(album => {
    const [id, ...others] = names.withTitle(album)
    return id === undefined || others.length > 0 ? album : id
  })
}

/** What is removed by a title is the photo's membership in all albums that have it, and the label. */
export function setEditFor(names: AlbumNames, { add, remove }: SetEdit): SetEdit {
  return {
    ...(add && { add: labelsFor(names, add) }),
    ...(remove && { remove: remove.flatMap(album => [album, ...names.withTitle(album)]) })
  }
}

/** @returns the labels of photos in what somebody calls an album, by id or title; none where it is deleted */
export function labelsCalled(names: AlbumNames, album: string): readonly string[] {
  const label = album.trim()
  const ids = names.withTitle(label)
  const isGone = names.isId(label) && names.namesOf([label.toLowerCase()]).ids.length === 0
  return isGone ? ids : [...new Set([label, ...ids])]
}

/** @returns what albums are called for somebody who sees some of them */
export function namesSeen(names: AlbumNames, isSeen: (id: AlbumId) => boolean): AlbumNames {
  const isShown = (label: string): boolean => {
    const id = parseAlbumId(label)
    return id === undefined || isSeen(id)
  }
  return {
    isId: label => names.isId(label),
    withTitle: title => names.withTitle(title).filter(isSeen),
    namesOf: labels => names.namesOf(labels.filter(isShown))
  }
}
