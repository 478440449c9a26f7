import { ALBUM_CAPTION_CHARACTERS_MAX } from '../../../domain/limits.js'
import {
  ALBUM_OR_NONE,
  array,
  CONFLICT_NUMBER,
  COUNT,
  json,
  LABEL,
  nullable,
  object,
  PHOTO_ID,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT,
  TIME,
  VERSION
} from './common.js'
import { LABELS_QUERY, NEXT_AFTER } from './library-schemas.js'

const TAGS = ['photos']
const PHOTOS_MAX = 10_000
const LOCAL_TIME: Schema = {
  ...TEXT,
  description: 'what a clock on the wall showed, without an offset',
  examples: ['2024-01-01T08:02:32.000']
}
const ALBUM_FIELDS = {
  album_id: nullable({ ...PHOTO_ID, description: 'null: it is a label that photos have, and nothing but that' }),
  name: { ...TEXT, description: 'its title; of a label, as most photos have it' },
  caption: nullable(TEXT),
  count: { ...COUNT, description: 'photos on this node that are in it' },
  cover: {
    ...nullable(PHOTO_ID),
    description:
      'the photo that somebody chose, while it is in the album; else the one taken last. null while a new index is made'
  },
  from: { ...nullable(LOCAL_TIME), description: 'when the first photo was taken' },
  to: { ...nullable(LOCAL_TIME), description: 'when the last one was' },
  created_at: { ...nullable(TIME), description: 'null of a label' },
  parent: {
    ...nullable(PHOTO_ID),
    description: 'the album that it stands in; null: none, or none that is open to you'
  },
  inherits: { type: 'boolean', description: 'whether those to whom that one is open see this one' },
  conflicts: { ...COUNT, description: 'versions of concurrent edits that lost to the current one' }
}
export const ALBUM = object(ALBUM_FIELDS)
export const ALBUM_ID = { id: { ...PHOTO_ID, description: 'album id, a UUID in any case' } }
const ALBUM_PARAMS = object(ALBUM_ID)
const TITLE: Schema = { ...LABEL, description: `${LABEL.description as string}; no UUID` }
const CAPTION: Schema = { ...TEXT, maxLength: ALBUM_CAPTION_CHARACTERS_MAX }
const COVER: Schema = { ...PHOTO_ID, description: 'shown while the photo is in the album' }
const PARENT: Schema = { ...PHOTO_ID, description: 'id of the album that it is to stand in' }
const PHOTO_IDS: Schema = array(PHOTO_ID, { maxItems: PHOTOS_MAX })
const ALBUMS_QUERY = {
  ...LABELS_QUERY,
  parent: {
    ...ALBUM_OR_NONE,
    description:
      'only those that stand in this album, by its id; `none`: in none that is open to you, and labels; default: all, wherever they stand'
  }
}
/** What says that the album is not there. */
export const FOUND = ['ERR_BAD_ID', 'ERR_ALBUM_NOT_FOUND', 'ERR_ALBUM_DELETED', 'ERR_FORMAT_TOO_NEW'] as const
const OUTCOME = {
  photo_id: PHOTO_ID,
  status: { type: 'string', enum: ['added', 'removed', 'failed'] },
  code: { ...TEXT, description: 'why it failed' }
}
const RESULTS: Schema = array(object(OUTCOME, ['code']))

export const albumsSchema: Schema = {
  summary: 'Albums and how many photos are in them, in alphabetical order',
  description: 'Labels that photos have as albums are among them, without an `album_id`.',
  tags: TAGS,
  rights: { needs: ['read'] },
  querystring: object(ALBUMS_QUERY, Object.keys(ALBUMS_QUERY)),
  response: {
    200: json('a page', object({ albums: array(ALBUM), next_after: NEXT_AFTER })),
    ...problems('ERR_BAD_ID', 'ERR_ALBUM_NOT_FOUND', 'ERR_DIRECTORY_UNAVAILABLE', 'ERR_OVERLOADED')
  }
}

export const createAlbumSchema: Schema = {
  summary: 'Makes an album',
  description: 'Albums may have the same title: they are told apart by id.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  body: object({ title: TITLE, caption: CAPTION, cover: COVER, parent: PARENT }, ['caption', 'cover', 'parent']),
  response: {
    201: json('the album', ALBUM, { Location: TEXT }),
    ...problems(...FOUND, 'ERR_TOO_MANY_ALBUMS', ...RECORD_WRITE)
  }
}

export const getAlbumSchema: Schema = {
  summary: 'An album',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: ALBUM_PARAMS,
  response: { 200: json('the album', ALBUM), ...problems(...FOUND, 'ERR_DIRECTORY_UNAVAILABLE') }
}

export const patchAlbumSchema: Schema = {
  summary: 'Changes an album',
  description: 'Absent fields stay unchanged; null removes a value. A rename changes no photo.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ALBUM_PARAMS,
  body: {
    ...object({ title: TITLE, caption: nullable(CAPTION), cover: nullable(COVER) }, ['title', 'caption', 'cover']),
    minProperties: 1
  },
  response: { 200: json('the album', ALBUM), ...problems(...FOUND, ...RECORD_WRITE) }
}

export const moveAlbumSchema: Schema = {
  summary: 'Puts an album into another one, or takes it out',
  description:
    'Its owner can put it into one that he may change; whoever may change that one can take it out. To whom the other one is open, this one ' +
    'is too, unless `inherits` is false: a viewer and a contributor as there, managers and the owner as managers, who do not share it.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ALBUM_PARAMS,
  body: object(
    {
      parent: { ...nullable(PARENT), description: 'null: it stands in none' },
      inherits: {
        type: 'boolean',
        description: 'default: true; false: it is open only to those to whom it was opened itself'
      }
    },
    ['inherits']
  ),
  response: { 200: json('the album', ALBUM), ...problems(...FOUND, 'ERR_ALBUM_LOOP', ...RECORD_WRITE) }
}

export const deleteAlbumSchema: Schema = {
  summary: 'Deletes an album; its photos stay, it can be restored for a while, and deleting again is harmless',
  tags: TAGS,
  rights: { needs: ['delete'] },
  params: ALBUM_PARAMS,
  response: {
    200: json('deleted', object({ status: { type: 'string', const: 'deleted' }, album_id: PHOTO_ID })),
    ...problems('ERR_BAD_ID', 'ERR_ALBUM_NOT_FOUND', 'ERR_FORMAT_TOO_NEW', ...RECORD_WRITE)
  }
}

export const undeleteAlbumSchema: Schema = {
  summary: 'Restores a deleted album with its photos',
  description: 'As long as a photo can be restored after its delete. Restoring again is harmless.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ALBUM_PARAMS,
  response: { 200: json('the album', ALBUM), ...problems(...FOUND, 'ERR_TOO_MANY_ALBUMS', ...RECORD_WRITE) }
}

export const albumConflictsSchema: Schema = {
  summary: 'Concurrent versions of an album that lost to the current one',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: ALBUM_PARAMS,
  response: {
    200: json(
      'greatest first',
      object({
        conflicts: array(
          object({
            n: { type: 'integer', minimum: 1 },
            name: TEXT,
            caption: nullable(TEXT),
            cover: nullable(PHOTO_ID),
            deleted: { type: 'boolean' },
            version: VERSION
          })
        )
      })
    ),
    ...problems(...FOUND, 'ERR_DIRECTORY_UNAVAILABLE')
  }
}

export const restoreAlbumSchema: Schema = {
  summary: 'Makes a conflict version of an album the current one',
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: object({ ...ALBUM_ID, n: CONFLICT_NUMBER }),
  response: { 200: json('the album', ALBUM), ...problems(...FOUND, 'ERR_NO_SUCH_CONFLICT', ...RECORD_WRITE) }
}

export const albumPhotosSchema: Schema = {
  summary: 'Puts photos into an album, and takes others out of it',
  description: `At most ${PHOTOS_MAX} in all. A photo that is in it already, or is not, is no failure.`,
  tags: TAGS,
  rights: { needs: ['edit'] },
  params: ALBUM_PARAMS,
  body: { ...object({ add: PHOTO_IDS, remove: PHOTO_IDS }, ['add', 'remove']), minProperties: 1 },
  response: {
    200: json('the outcome for each id: those added, then those removed', object({ results: RESULTS })),
    ...problems(...FOUND, ...RECORD_WRITE)
  }
}

export const makeRealSchema: Schema = {
  summary: 'Makes an album of a label: its photos lose the label and are in the album instead',
  description:
    'Up to 1,000 photos a request: send it again until `left` is 0, at any time, to any node. It is always the same album, ' +
    'which may have another title by now.',
  tags: TAGS,
  rights: { needs: ['edit'] },
  body: object({ name: TITLE }),
  response: {
    200: json(
      'the album',
      object({
        ...ALBUM_FIELDS,
        results: RESULTS,
        left: { ...COUNT, description: 'photos on this node that still have the label' }
      })
    ),
    ...problems('ERR_ALBUM_NOT_FOUND', 'ERR_TOO_MANY_ALBUMS', 'ERR_FORMAT_TOO_NEW', ...RECORD_WRITE)
  }
}
