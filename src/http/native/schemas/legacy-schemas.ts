import { PASSWORD_CHARACTERS_MAX, USER_NAME_CHARACTERS_MAX } from '../../../domain/limits.js'
import {
  array,
  COUNT,
  json,
  nullable,
  object,
  PHOTO_ID,
  PHOTO_READ,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT
} from './common.js'
import { SEARCHED } from './similarity-schemas.js'

/* Paths of older designs. Each has `token` in the query, or in the body where there is one. */

const UNITS = 4
export const LEGACY_FILES_MAX = 1_000
export const LEGACY_FOLDERS_MAX = 100
const OLDER = { tags: ['older paths'], deprecated: true, tokenIn: 'fields' } as const

/** What these paths answer instead of a problem. */
export const OLDER_ERROR: Schema = object({ error: TEXT, code: TEXT })

const TOKEN: Schema = { ...TEXT, maxLength: 1_024, description: 'of a log-in, or an API key' }
const USER_NAME: Schema = { ...TEXT, minLength: 1, maxLength: UNITS * USER_NAME_CHARACTERS_MAX, examples: ['anna'] }
const PASSWORD: Schema = {
  ...TEXT,
  maxLength: UNITS * PASSWORD_CHARACTERS_MAX,
  examples: ['correct horse battery staple']
}
const PERMISSION: Schema = { type: 'string', enum: ['view', 'edit'] }
const MESSAGE = { message: TEXT }
const QUERY = object({ token: TOKEN }, ['token'])
const FILE: Schema = { type: 'string', contentMediaType: 'application/octet-stream' }
const LOGGED_IN = json('logged in', object({ token: TEXT, userId: PHOTO_ID, username: TEXT, ...MESSAGE }))
const FOLDERS = json(
  'folders',
  object({
    folders: array(
      object({
        id: PHOTO_ID,
        name: TEXT,
        ownerId: { ...nullable(PHOTO_ID), description: 'null: it belongs to everyone' },
        permission: PERMISSION
      })
    )
  })
)
const LOGIN_CODES = ['ERR_NO_ACCOUNTS', 'ERR_BAD_CREDENTIALS', 'ERR_ACCOUNT_DISABLED', 'ERR_TOO_MANY_TRIES'] as const
const FOLDER_CODES = ['ERR_NO_ACCOUNTS', 'ERR_ALBUM_NOT_FOUND', 'ERR_ALBUM_DELETED', 'ERR_FORBIDDEN'] as const

const CREDENTIALS = object({ username: USER_NAME, password: PASSWORD })

export const legacyRegisterSchema: Schema = {
  ...OLDER,
  summary: 'Makes an account, where `--signup` is open, and logs in; see `POST /v1/signup`',
  rights: { needs: [] },
  body: CREDENTIALS,
  response: {
    200: LOGGED_IN,
    ...problems(
      ...LOGIN_CODES,
      'ERR_SIGNUP_CLOSED',
      'ERR_NAME_TAKEN',
      'ERR_CLUSTER_KEY_NEEDED',
      'ERR_TOO_MANY_USERS',
      ...RECORD_WRITE
    )
  }
}

export const legacyLoginSchema: Schema = {
  ...OLDER,
  summary: 'Logs in, for 12 hours; see `POST /v1/tokens`',
  rights: { needs: [] },
  body: CREDENTIALS,
  response: { 200: LOGGED_IN, ...problems(...LOGIN_CODES, ...RECORD_WRITE) }
}

export const legacyLogoutSchema: Schema = {
  ...OLDER,
  summary: 'Logs out, on all nodes; see `DELETE /session`',
  rights: { needs: ['account'] },
  querystring: QUERY,
  body: object({ token: TOKEN }, ['token']),
  response: { 200: json('logged out', object(MESSAGE)), ...problems('ERR_NO_ACCOUNTS', ...RECORD_WRITE) }
}

export const legacyCloseSchema: Schema = {
  ...OLDER,
  summary: 'Closes the account of whoever asks',
  rights: { needs: ['account'] },
  querystring: QUERY,
  body: object({ token: TOKEN, password: PASSWORD }, ['token']),
  response: {
    200: json('closed', object(MESSAGE)),
    ...problems(...LOGIN_CODES, 'ERR_LAST_ADMIN', 'ERR_USER_NOT_FOUND', ...RECORD_WRITE)
  }
}

export const legacyFoldersSchema: Schema = {
  ...OLDER,
  summary: 'One’s own albums; see `GET /v1/albums`',
  rights: { needs: ['read'] },
  querystring: QUERY,
  response: { 200: FOLDERS, ...problems('ERR_NO_ACCOUNTS', 'ERR_DIRECTORY_UNAVAILABLE') }
}

export const legacySharedSchema: Schema = {
  ...legacyFoldersSchema,
  summary: 'Albums of others that are open to whoever asks; see `GET /v1/albums`'
}

export const legacyShareSchema: Schema = {
  ...OLDER,
  summary:
    'Gives a role in an album: `view` a viewer, `edit` a contributor; see `PUT /v1/albums/{id}/shares/{principal}`',
  rights: { needs: ['share'] },
  querystring: QUERY,
  body: object({ token: TOKEN, folderId: PHOTO_ID, targetUsername: USER_NAME, permission: PERMISSION }, ['token']),
  response: {
    200: json('shared', object(MESSAGE)),
    ...problems('ERR_BAD_ID', ...FOLDER_CODES, 'ERR_USER_NOT_FOUND', ...RECORD_WRITE)
  }
}

export const legacyDeleteFoldersSchema: Schema = {
  ...OLDER,
  summary: 'Deletes albums, and puts those of one’s own photos into the trash that are in no other album',
  description:
    'All of them are looked at before any is changed. `DELETE /v1/albums/{id}` deletes an album and leaves its photos alone.',
  rights: { needs: ['delete'] },
  querystring: QUERY,
  body: object({ token: TOKEN, folderIds: array(PHOTO_ID, { minItems: 1, maxItems: LEGACY_FOLDERS_MAX }) }, ['token']),
  response: {
    200: json(
      'deleted',
      object({
        ...MESSAGE,
        deleted: { ...COUNT, description: 'albums' },
        trashed: { ...COUNT, description: 'photos that are in the trash now' }
      })
    ),
    ...problems('ERR_BAD_ID', ...FOLDER_CODES, 'ERR_INDEX_BUILDING', ...RECORD_WRITE)
  }
}

export const legacyUploadSchema: Schema = {
  ...OLDER,
  tokenIn: 'form',
  summary:
    'Stores photos in an album of one’s own, which is made when there is none of that name; see `PUT /v1/photos`',
  description: '`token` and `folderName` come before the files, or stand in the query.',
  rights: { needs: ['upload', 'edit'] },
  querystring: object({ token: TOKEN, folderName: { ...TEXT, minLength: 1 } }, ['token', 'folderName']),
  streamedBody: {
    content: {
      'multipart/form-data': {
        schema: object({ token: TOKEN, folderName: TEXT, 'files[]': array(FILE), files: array(FILE) }, [
          'token',
          'folderName',
          'files[]',
          'files'
        ])
      }
    }
  },
  response: {
    200: json(
      'stored, as far as there is no reason in `failed`; where nothing could be stored, the answer is that of the first file',
      object({
        ...MESSAGE,
        folderId: PHOTO_ID,
        images: array(object({ id: PHOTO_ID, filename: TEXT })),
        failed: array(object({ filename: TEXT, error: TEXT }))
      })
    ),
    ...problems(
      'ERR_NO_ACCOUNTS',
      'ERR_NOT_MULTIPART',
      'ERR_NO_FILE',
      'ERR_EMPTY_FILE',
      'ERR_ATTRIBUTES_TOO_LARGE',
      'ERR_TOO_MANY_ALBUMS',
      'ERR_TOO_FEW_COPIES',
      'ERR_QUOTA_EXCEEDED',
      ...FOLDER_CODES,
      ...RECORD_WRITE
    )
  }
}

export const legacyImageSchema: Schema = {
  ...OLDER,
  summary: 'The bytes of a photo, whole or a range; see `GET /photo/{id}`',
  rights: { needs: ['read'] },
  params: object({ id: PHOTO_ID }),
  querystring: QUERY,
  response: {
    200: { description: 'the photo', content: { '*/*': { schema: { type: 'string', contentMediaType: '*/*' } } } },
    206: { description: 'a range of it', content: { '*/*': { schema: { type: 'string', contentMediaType: '*/*' } } } },
    ...problems(
      'ERR_NO_ACCOUNTS',
      ...PHOTO_READ,
      'ERR_NOT_FOUND',
      'ERR_NOT_READY',
      'ERR_RANGE_NOT_SATISFIABLE',
      'ERR_BYTES_UNREACHABLE',
      'ERR_NEEDLE_CORRUPT'
    )
  }
}

export const legacySearchSchema: Schema = {
  ...OLDER,
  summary: 'Photos that look like what words say; see `GET /search`',
  description: 'With `folder_ids` of the 1,000 nearest those that are in one of these albums.',
  rights: { needs: ['read'] },
  querystring: object(
    {
      token: TOKEN,
      query: { ...TEXT, minLength: 1, maxLength: 1_000, examples: ['a red rose'] },
      folder_ids: array(
        { ...TEXT, maxLength: 10_000, description: 'ids of albums, joined by commas' },
        { maxItems: LEGACY_FOLDERS_MAX }
      ),
      top_k: { type: 'integer', minimum: 1, maximum: 1_000, default: 10 }
    },
    ['token', 'folder_ids', 'top_k']
  ),
  response: {
    200: json('the nearest first', object({ results: array(object({ image: TEXT, similarity: { type: 'number' } })) })),
    ...problems('ERR_BAD_ID', ...FOLDER_CODES, 'ERR_TEXT_SEARCH_UNAVAILABLE', ...SEARCHED)
  }
}
