import {
  CREDENTIAL_LABEL_CHARACTERS_MAX,
  LINKED_PHOTOS_MAX,
  PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MIN
} from '../../../domain/limits.js'
import { LINK_ROLES } from '../../../domain/share-link.js'
import {
  array,
  COUNT,
  json,
  nullable,
  object,
  PHOTO_ID,
  problems,
  RECORD_WRITE,
  type Schema,
  TEXT,
  TIME
} from './common.js'

const TAGS = ['accounts']
const FLAG: Schema = { type: 'boolean' }
const ROLE: Schema = {
  type: 'string',
  enum: LINK_ROLES,
  description: 'a contributor can put photos into the album, too'
}
const DOWNLOAD: Schema = { ...FLAG, description: 'whether originals can be had; only where `metadata` is true as well' }
const METADATA: Schema = {
  ...FLAG,
  description: 'whether it is told what cameras and people say of the photos; an original tells all of that, too'
}
const SECRET: Schema = { ...TEXT, minLength: 1, maxLength: 64, examples: ['w'.repeat(32)] }
const PERSON = object({
  user_id: PHOTO_ID,
  name: { ...nullable(TEXT), description: 'null: this node has not heard of it' }
})

const LINK = object({
  link_id: PHOTO_ID,
  album_id: {
    ...nullable(PHOTO_ID),
    description: 'null: it is of photos, which `GET /photos?album=` lists by `link_id`'
  },
  role: ROLE,
  download: DOWNLOAD,
  metadata: METADATA,
  has_password: FLAG,
  label: { ...nullable(TEXT), description: 'whom it is for; guests are not told' },
  by: PERSON,
  created_at: TIME,
  expires_at: { ...nullable(TIME), description: 'null: it does not end' },
  in_force: {
    ...FLAG,
    description: 'false: it has ended, or whoever made it may not share the album any more, or has no open account'
  }
})

const TERMS = {
  role: ROLE,
  download: DOWNLOAD,
  metadata: METADATA,
  password: {
    ...nullable(TEXT),
    minLength: PASSWORD_CHARACTERS_MIN,
    maxLength: 4 * PASSWORD_CHARACTERS_MAX,
    description: 'null: none',
    examples: ['correct horse']
  },
  expires_at: { ...nullable(TIME), examples: ['2099-01-01T00:00:00Z'], description: 'null: it does not end' },
  label: { ...nullable(TEXT), maxLength: 4 * CREDENTIAL_LABEL_CHARACTERS_MAX, examples: ['Grandma'] }
}
const LINK_ID = { id: PHOTO_ID }

export const linksSchema: Schema = {
  summary: 'Links that whoever asks has made, the latest first, or all of an album that he may share',
  tags: TAGS,
  rights: { needs: ['share'] },
  querystring: object({ album: { ...PHOTO_ID, description: 'the id of an album' } }, ['album']),
  response: {
    200: json('links', object({ links: array(LINK) })),
    ...problems('ERR_BAD_ID', 'ERR_ALBUM_NOT_FOUND', 'ERR_DIRECTORY_UNAVAILABLE')
  }
}

export const createLinkSchema: Schema = {
  summary: 'Makes a link: whoever has its address sees an album, or some photos, without an account',
  description:
    'Of an album that one may share, or of photos of one’s own; photos that are put into the album later are seen, too. It counts while ' +
    'whoever has made it may share the album. What is put in by it belongs to the owner of the album.',
  tags: TAGS,
  rights: { needs: ['share'] },
  body: object(
    {
      album: { ...PHOTO_ID, description: 'an album; either this or `photos`' },
      photos: array(PHOTO_ID, { minItems: 1, maxItems: LINKED_PHOTOS_MAX }),
      ...TERMS,
      role: { ...ROLE, default: 'viewer' },
      download: { ...DOWNLOAD, default: true },
      metadata: { ...METADATA, default: true },
      expires_at: { ...TERMS.expires_at, description: 'null: it does not end; default: in 30 days' }
    },
    ['album', 'photos', ...Object.keys(TERMS)]
  ),
  response: {
    201: json(
      'made',
      object({
        link: LINK,
        secret: { ...SECRET, description: 'shown this once' },
        path: { ...TEXT, description: 'to be opened at any node in reach' }
      })
    ),
    ...problems(
      'ERR_BAD_ID',
      'ERR_ALBUM_NOT_FOUND',
      'ERR_ALBUM_DELETED',
      'ERR_PHOTO_NOT_FOUND',
      'ERR_PHOTO_DELETED',
      'ERR_TOO_MANY_LINKS',
      'ERR_OVERLOADED',
      ...RECORD_WRITE
    )
  }
}

export const editLinkSchema: Schema = {
  summary: 'Changes what a link of one’s own gives, and until when',
  description: 'What is not sent stays. A new password closes it to those who have opened it with the one before.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: object(LINK_ID),
  body: { ...object(TERMS, Object.keys(TERMS)), minProperties: 1 },
  response: {
    200: json('the link now', LINK),
    ...problems(
      'ERR_BAD_ID',
      'ERR_LINK_NOT_FOUND',
      'ERR_ALBUM_NOT_FOUND',
      'ERR_ALBUM_DELETED',
      'ERR_OVERLOADED',
      ...RECORD_WRITE
    )
  }
}

export const deleteLinkSchema: Schema = {
  summary: 'Withdraws a link for good, one’s own or one of an album that one may share',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: object(LINK_ID),
  response: {
    200: json('withdrawn', object({ status: { type: 'string', const: 'deleted' }, link_id: PHOTO_ID })),
    ...problems('ERR_BAD_ID', 'ERR_LINK_NOT_FOUND', 'ERR_INDEX_BUILDING', ...RECORD_WRITE)
  }
}

export const openLinkSchema: Schema = {
  summary: 'Opens a link, and sets a cookie by which its photos are seen from then on',
  description:
    'Up to 8 are open at once. `GET /photos?album=` lists its photos by `list`. Where the cookie is sent, no password is needed to open it ' +
    'again. Where somebody is logged in, he sees what his account sees as well. Wrong passwords are limited as they are for accounts.',
  tags: TAGS,
  rights: { needs: [] },
  body: object(
    { secret: SECRET, password: { ...TEXT, maxLength: 4 * PASSWORD_CHARACTERS_MAX, examples: ['correct horse'] } },
    ['password']
  ),
  response: {
    200: json(
      'open',
      object({
        link_id: PHOTO_ID,
        album: {
          ...object({ album_id: PHOTO_ID, title: TEXT, count: COUNT }),
          type: ['object', 'null'],
          description: 'null: it is of photos'
        },
        list: { ...PHOTO_ID, description: 'by what `GET /photos?album=` lists its photos' },
        can: array({ type: 'string', enum: ['download', 'upload'] }),
        metadata: FLAG,
        expires_at: nullable(TIME)
      }),
      { 'set-cookie': { schema: TEXT } }
    ),
    ...problems(
      'ERR_LINK_NOT_FOUND',
      'ERR_LINK_PASSWORD',
      'ERR_TOO_MANY_TRIES',
      'ERR_OVERLOADED',
      'ERR_DIRECTORY_UNAVAILABLE'
    )
  }
}

export const closeLinksSchema: Schema = {
  summary: 'Forgets all links that were opened',
  tags: TAGS,
  rights: { needs: [] },
  response: { 200: json('forgotten', object({ status: { type: 'string', const: 'closed' } })), ...problems() }
}
