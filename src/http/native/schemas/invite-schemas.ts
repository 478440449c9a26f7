import { INVITE_ROLES } from '../../../domain/invite.js'
import { DISPLAY, LABEL, NAME, PASSWORD, USER } from './account-schemas.js'
import { array, json, nullable, object, PHOTO_ID, problems, RECORD_WRITE, type Schema, TEXT, TIME } from './common.js'

const TAGS = ['accounts']
const ROLE: Schema = { type: 'string', enum: INVITE_ROLES, description: 'of the account that is made with it' }
const SECRET: Schema = { ...TEXT, minLength: 64, maxLength: 64, examples: ['w'.repeat(64)] }

const INVITE = object({
  invite_id: PHOTO_ID,
  role: ROLE,
  label: { ...nullable(TEXT), description: 'whom it is for' },
  by: { ...nullable(PHOTO_ID), description: 'the account that has made it; null: the operator of a node' },
  created_at: TIME,
  expires_at: TIME
})

export const signupSchema: Schema = {
  summary: 'Makes an account for whoever asks, where `--signup` lets him',
  description: 'Where it is `invite`, the text of one is needed. Then log in as anybody does.',
  tags: TAGS,
  rights: { needs: [] },
  body: object(
    { name: NAME, password: PASSWORD, display: DISPLAY, invite: { ...SECRET, description: 'the text of an invite' } },
    ['display', 'invite']
  ),
  response: {
    201: json('made', USER),
    ...problems(
      'ERR_NO_ACCOUNTS',
      'ERR_SIGNUP_CLOSED',
      'ERR_INVITE_NOT_FOUND',
      'ERR_TOO_MANY_TRIES',
      'ERR_NAME_TAKEN',
      'ERR_CLUSTER_KEY_NEEDED',
      'ERR_TOO_MANY_USERS',
      ...RECORD_WRITE
    )
  }
}

export const invitesSchema: Schema = {
  summary: 'Invites that somebody may still use, the latest first',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  response: { 200: json('invites', object({ invites: array(INVITE) })), ...problems('ERR_DIRECTORY_UNAVAILABLE') }
}

export const createInviteSchema: Schema = {
  summary: 'Makes an invite: whoever has its text may make one account',
  description: 'It counts while whoever has made it is an administrator.',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  body: object(
    {
      role: { ...ROLE, default: 'user' },
      label: LABEL,
      expires_at: { ...TIME, description: 'within 90 days; default: in 14 days' }
    },
    ['role', 'label', 'expires_at']
  ),
  response: {
    201: json('made', object({ invite: INVITE, secret: { ...SECRET, description: 'its text, shown this once' } })),
    ...problems('ERR_SIGNUP_CLOSED', 'ERR_TOO_MANY_INVITES', ...RECORD_WRITE)
  }
}

export const deleteInviteSchema: Schema = {
  summary: 'Takes an invite back; harmless where it was used',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  params: object({ id: PHOTO_ID }),
  response: {
    200: json('taken back', object({ status: { type: 'string', const: 'deleted' }, invite_id: PHOTO_ID })),
    ...problems('ERR_INVITE_NOT_FOUND', ...RECORD_WRITE)
  }
}
