/*
 * Albums as records of the kind 'album', id = a UUID, as that of a photo.
 *
 *   field     key   value
 *   version   –     title, caption?, cover? (id of a photo), owner? (id of the account that made it; in every version, changed by
 *                   none), born? (hlc of the first version; absent in that one)
 *
 * Which photos are in it is said by their records, see photo.ts: a rename changes one record.
 */
import { createHash } from 'node:crypto'
import { SheafError } from '../core/errors.js'
import type { Value } from './cbor.js'
import { type Entry, VERSION_FIELD } from './entry.js'
import { type Hlc, hlcMs } from './hlc.js'
import { type AlbumId, type PhotoId, parseAlbumId, parsePhotoId, parseUserId, photoIdFrom, type UserId } from './ids.js'
import { ALBUM_CAPTION_CHARACTERS_MAX, LABEL_CHARACTERS_MAX } from './limits.js'
import { type Change, conflictVersions, type DirectoryRecord, shownVersion } from './record.js'
import { foldText } from './text.js'
import { mapOf, setOrDelete, textOf } from './value-fields.js'
import type { LifeActor } from './version-vector.js'

export const ALBUM_KIND = 'album'

export interface Album {
  readonly id: AlbumId
  readonly generation: number
  readonly deleted: boolean
  readonly title: string
  readonly caption: string | undefined
  /** What a person chose; shown while it is in the album. */
  readonly cover: PhotoId | undefined
  /** The account that made it; undefined: nobody who had one. Whose it is now says its acl, see acl.ts. */
  readonly maker: UserId | undefined
  readonly createdAtMs: number
  /** How many versions of concurrent edits lost against the shown one. */
  readonly conflicts: number
  readonly version: { readonly hlc: Hlc; readonly actor: LifeActor }
}

/** Absent: unchanged; null: removed. */
export interface AlbumEdit {
  readonly title?: string
  readonly caption?: string | null
  readonly cover?: PhotoId | null
}

export interface NewAlbum {
  readonly title: string
  readonly caption?: string | undefined
  readonly cover?: PhotoId | undefined
  /** The account that makes it. */
  readonly maker?: UserId | undefined
}

/**
 * Lenient, since another node may have written the record, and bounded.
 *
 * @param version - a conflict version to view instead of the shown one
 * @returns undefined for other kinds, and for what no photo could be in, as its id is no UUID
 * @throws `ERR_RECORD_MALFORMED` if there is no version
 */
export function viewAlbum(record: DirectoryRecord, version = shownVersion(record)): Album | undefined {
  const id = record.kind === ALBUM_KIND ? parseAlbumId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const { value, generation, deleted, hlc, dot } = version
  const title = cut(textOf(value, 'title') ?? '', LABEL_CHARACTERS_MAX)
    .replace(/\p{Cc}/gu, ' ')
    .trim()
  const caption = textOf(value, 'caption')
  const born = value.get('born')
  return {
    id,
    generation,
    deleted,
    title: title === '' ? id : title,
    caption: caption === undefined ? undefined : cut(caption, ALBUM_CAPTION_CHARACTERS_MAX),
    cover: parsePhotoId(textOf(value, 'cover') ?? ''),
    maker: parseUserId(textOf(value, 'owner') ?? ''),
    createdAtMs: hlcMs(typeof born === 'bigint' ? (born as Hlc) : hlc),
    conflicts: conflictVersions(record).length,
    version: { hlc, actor: dot.actor }
  }
}

/**
 * @param maker - whose album it becomes; undefined: nobody's
 * @returns the id of the album that a label becomes, the same on every node, so that it becomes one
 */
export function albumIdOfLabel(label: string, maker?: UserId): AlbumId {
  const whose = maker === undefined ? '' : `\0${maker}`
  const bytes = createHash('sha256')
    .update(`${ALBUM_KIND}\0${foldText(label.trim())}${whose}`)
    .digest()
    .subarray(0, 16)
  bytes[6] = 0x80 | (bytes.readUInt8(6) & 0x0f) // RFC 9562: version 8
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f)
  return photoIdFrom(bytes) as string as AlbumId
}

export function createAlbumChanges({ title, caption, cover, maker }: NewAlbum): Change[] {
  return [{ kind: 'version', deleted: false, value: mapOf({ title, caption, cover, owner: maker }) }]
}

/** @returns no changes if the album already matches the edit */
export function editAlbumChanges(record: DirectoryRecord, edit: AlbumEdit): Change[] {
  const { value: shown } = shownVersion(record)
  const value = successorValue(record)
  let changed = false
  for (const field of ['title', 'caption', 'cover'] as const) {
    const text = edit[field]
    if (text === undefined || (text ?? undefined) === shown.get(field)) continue
    setOrDelete(value, field, text ?? undefined)
    changed = true
  }
  return changed ? [{ kind: 'version', value }] : []
}

/** @returns no changes if the album is already deleted */
export function deleteAlbumChanges(record: DirectoryRecord): Change[] {
  if (shownVersion(record).deleted) return []
  return [{ kind: 'version', deleted: true, value: successorValue(record) }]
}

/** Begins the next life of a deleted album, under that title or its own. @returns no changes if it is not deleted */
export function reviveAlbumChanges(record: DirectoryRecord, title?: string): Change[] {
  const { generation, deleted } = shownVersion(record)
  if (!deleted) return []
  const value = successorValue(record)
  if (title !== undefined) value.set('title', title)
  const isTombstone = ({ field, deleted }: Entry): boolean => field === VERSION_FIELD && deleted
  return [
    {
      kind: 'version',
      generation: generation + 1,
      deleted: false,
      value,
      supersedes: record.entries.filter(isTombstone).map(({ dot }) => dot)
    }
  ]
}

/** Begins the life after a grave with what the record showed before that ended it. */
export function exhumeAlbumChanges(record: DirectoryRecord): Change[] {
  return [{ kind: 'version', deleted: false, value: successorValue(record) }]
}

/**
 * Makes a conflict version the shown one, which becomes a conflict version itself, so that it can be undone.
 *
 * @param n - index in `conflictVersions`, from 1
 * @throws `ERR_NO_SUCH_CONFLICT`
 */
export function restoreAlbumChanges(record: DirectoryRecord, n: number): Change[] {
  const conflict = conflictVersions(record)[n - 1]
  if (conflict === undefined) throw new SheafError('ERR_NO_SUCH_CONFLICT', undefined, { details: { n } })
  const value = new Map(conflict.value)
  const present = successorValue(record)
  for (const field of ['born', 'owner']) setOrDelete(value, field, present.get(field))
  return [{ kind: 'version', value, supersedes: [conflict.dot] }]
}

/** The value that the next version starts from, unknown fields included. */
function successorValue(record: DirectoryRecord): Map<string, Value> {
  const { value, hlc } = shownVersion(record)
  const born = value.get('born')
  return new Map(value).set('born', typeof born === 'bigint' ? born : hlc)
}

/** @returns the first characters of a text that may be megabytes long */
function cut(text: string, charactersMax: number): string {
  return [...text.slice(0, 2 * charactersMax)].slice(0, charactersMax).join('')
}
