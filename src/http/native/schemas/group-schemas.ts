import { GROUP_NAME_CHARACTERS_MAX, USER_NAME_CHARACTERS_MAX } from '../../../domain/limits.js'
import { MEMBER_ROLES } from '../../../domain/people-group.js'
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
/** In UTF-16 code units, as in account-schemas.ts. */
const UNITS = 4

const GROUP_ID: Schema = { ...PHOTO_ID, description: 'UUID of a group' }
const NAME: Schema = {
  ...TEXT,
  minLength: 1,
  maxLength: UNITS * GROUP_NAME_CHARACTERS_MAX,
  description: 'one line; several groups may have the same',
  examples: ['Family']
}
const ROLE: Schema = { type: 'string', enum: MEMBER_ROLES }
const LISTED = {
  group_id: GROUP_ID,
  name: TEXT,
  role: { type: 'string', enum: ['none', ...MEMBER_ROLES, 'owner'], description: 'of the one who asks' },
  can: array({ type: 'string', enum: ['edit'] }),
  count: { ...COUNT, description: 'who is in it, its owner included' },
  created_at: TIME
}
const MEMBER = object({
  user_id: PHOTO_ID,
  name: { ...nullable(TEXT), description: 'null: this node has not heard of it' },
  role: { type: 'string', enum: [...MEMBER_ROLES, 'owner'] }
})
const GROUP = object({
  ...LISTED,
  members: { ...array(MEMBER), type: ['array', 'null'], description: 'null: only those who are in it see that' }
})
const ID_PARAMS = object({ id: GROUP_ID })
const MEMBER_PARAMS = object({
  id: GROUP_ID,
  user: {
    ...TEXT,
    minLength: 1,
    maxLength: UNITS * USER_NAME_CHARACTERS_MAX,
    description: 'the name or id of an account',
    examples: ['anna']
  }
})
const NAMED = object({ name: NAME })
const FOUND = ['ERR_BAD_ID', 'ERR_GROUP_NOT_FOUND'] as const
const READ = 'ERR_DIRECTORY_UNAVAILABLE'

export const groupsSchema: Schema = {
  summary: 'The groups that whoever asks is in, by name',
  description: 'Who looks after accounts sees what all of them are called.',
  tags: TAGS,
  rights: { needs: ['account'] },
  response: { 200: json('groups', object({ groups: array(object(LISTED)) })), ...problems(READ) }
}

export const createGroupSchema: Schema = {
  summary: 'Makes a group of people, to whom albums can be opened as to one',
  description: 'It belongs to whoever makes it, who is in it.',
  tags: TAGS,
  rights: { needs: ['share'] },
  body: NAMED,
  response: { 201: json('the group', GROUP), ...problems('ERR_TOO_MANY_GROUPS', ...RECORD_WRITE) }
}

export const groupSchema: Schema = {
  summary: 'A group, and who is in it',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: ID_PARAMS,
  response: { 200: json('the group', GROUP), ...problems(...FOUND, READ) }
}

export const patchGroupSchema: Schema = {
  summary: 'Gives a group another name',
  description: 'Its owner and its managers can.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: ID_PARAMS,
  body: NAMED,
  response: { 200: json('the group', GROUP), ...problems(...FOUND, ...RECORD_WRITE) }
}

export const deleteGroupSchema: Schema = {
  summary: 'Deletes a group for ever: what was opened to it is open to nobody by it',
  description: 'Its owner can, and an administrator.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: ID_PARAMS,
  response: {
    200: json('it is deleted', object({ status: { type: 'string', enum: ['deleted'] }, group_id: GROUP_ID })),
    ...problems(...FOUND, ...RECORD_WRITE)
  }
}

export const putMemberSchema: Schema = {
  summary: 'Takes somebody into a group, or gives him another role in it',
  description: 'Its owner and its managers can. A role counts while whoever gave it may give it.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: MEMBER_PARAMS,
  body: object({ role: { ...ROLE, default: 'member' } }, ['role']),
  response: { 200: json('the group', GROUP), ...problems(...FOUND, 'ERR_USER_NOT_FOUND', ...RECORD_WRITE) }
}

export const deleteMemberSchema: Schema = {
  summary: 'Takes somebody out of a group; oneself, too',
  description:
    'Harmless where he is not in it. Whom a manager has taken in stays, in the name of whoever takes that role away.',
  tags: TAGS,
  rights: { needs: ['share'] },
  params: MEMBER_PARAMS,
  response: {
    200: json(
      'he is not in it',
      object({ status: { type: 'string', enum: ['removed'] }, group_id: GROUP_ID, user_id: PHOTO_ID })
    ),
    ...problems(...FOUND, 'ERR_USER_NOT_FOUND', ...RECORD_WRITE)
  }
}
