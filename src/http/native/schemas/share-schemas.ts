import { ALBUM_ROLES } from '../../../domain/acl.js'
import { USER_NAME_CHARACTERS_MAX } from '../../../domain/limits.js'
import { ALBUM_ID, FOUND } from './album-schemas.js'
import { array, json, nullable, object, PHOTO_ID, problems, RECORD_WRITE, type Schema, TEXT, TIME } from './common.js'

const TAGS = ['accounts']
const PRINCIPAL_CHARACTERS_MAX = 4 * USER_NAME_CHARACTERS_MAX
const GIVEN_ROLES = ALBUM_ROLES.filter(role => role !== 'none')
const PRINCIPAL: Schema = {
  ...TEXT,
  minLength: 1,
  maxLength: PRINCIPAL_CHARACTERS_MAX,
  description:
    'the name or id of an account; `group:` and the id of a group, at most a contributor; `everyone`: who has an account, at most ' +
    'a contributor; `public`: who has none, too, a viewer at most',
  examples: ['everyone']
}
const PERSON = { user_id: PHOTO_ID, name: { ...nullable(TEXT), description: 'null: this node has not heard of it' } }
const SHARE = object({
  principal: { ...TEXT, description: '`user:` or `group:` and an id, `everyone` or `public`' },
  user: { ...object(PERSON), type: ['object', 'null'], description: 'null: it is more than one person' },
  group: {
    ...object({
      group_id: PHOTO_ID,
      name: { ...nullable(TEXT), description: 'null: it is deleted, or this node has not heard of it' }
    }),
    type: ['object', 'null'],
    description: 'null: it is no group'
  },
  role: { type: 'string', enum: GIVEN_ROLES },
  expires_at: nullable(TIME),
  given_by: array(object(PERSON)),
  contested: {
    type: 'boolean',
    description:
      'different roles were given at the same time on nodes that were cut off from each other: the least counts'
  },
  in_force: {
    type: 'boolean',
    description: 'false: it has ended, whoever gave it may not give it any more, or the group is deleted'
  }
})
const SHARING = json(
  'to whom the album is open now',
  object({
    owner: {
      ...object(PERSON),
      type: ['object', 'null'],
      description: 'null: it belongs to everyone who has an account, as what was made before there were any'
    },
    role: { type: 'string', enum: [...ALBUM_ROLES, 'owner'], description: 'of the one who asks' },
    can: array({ type: 'string', enum: ['share'] }),
    shares: array(SHARE)
  })
)
const SHARE_PARAMS = object({ ...ALBUM_ID, principal: PRINCIPAL })
const NAMED = [...FOUND, 'ERR_USER_NOT_FOUND'] as const

export const sharesSchema: Schema = {
  summary: 'To whom an album is open',
  description: 'Those to whom an album is open in which this one stands are not named: ask for that one.',
  tags: TAGS,
  rights: { needs: ['read'] },
  params: object(ALBUM_ID),
  response: { 200: SHARING, ...problems(...FOUND, 'ERR_DIRECTORY_UNAVAILABLE') }
}

export const shareSchema: Schema = {
  summary: 'Gives a role in an album, instead of the one that was given before',
  description:
    'Its owner and its managers can, a group only if they are in it. A role counts while whoever gave it may give it.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: SHARE_PARAMS,
  body: object(
    {
      role: { type: 'string', enum: GIVEN_ROLES },
      expires_at: { ...nullable(TIME), examples: ['2099-01-01T00:00:00Z'], description: 'default: it does not end' }
    },
    ['expires_at']
  ),
  response: { 200: SHARING, ...problems(...NAMED, 'ERR_GROUP_NOT_FOUND', ...RECORD_WRITE) }
}

export const unshareSchema: Schema = {
  summary: 'Takes a role in an album away; one’s own, too',
  description: 'Harmless where there is none. What a manager gave stays, in the name of whoever takes that role away.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: SHARE_PARAMS,
  response: { 200: SHARING, ...problems(...NAMED, ...RECORD_WRITE) }
}

export const albumOwnerSchema: Schema = {
  summary: 'Hands an album over to another account, with all that its owner has given',
  description: 'Of an album that belongs to everyone, an administrator says whose it is.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: object(ALBUM_ID),
  body: object({ user: { ...PRINCIPAL, description: 'the name or id of an account', examples: ['anna'] } }),
  response: { 200: SHARING, ...problems(...NAMED, ...RECORD_WRITE) }
}
