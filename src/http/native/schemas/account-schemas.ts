import { ACCOUNT_STATES, ROLES } from '../../../domain/access.js'
import { API_KEY_SCOPES } from '../../../domain/api-key.js'
import { SIGNUPS } from '../../../domain/invite.js'
import {
  CREDENTIAL_LABEL_CHARACTERS_MAX,
  DISPLAY_CHARACTERS_MAX,
  MAIL_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MIN,
  USER_NAME_CHARACTERS_MAX
} from '../../../domain/limits.js'
import { RIGHTS } from '../../../domain/rights.js'
import {
  array,
  BYTES,
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
/** In UTF-16 code units, which is what a schema counts in some programs: characters are counted where names are checked. */
const UNITS = 4

const USER_ID: Schema = { ...PHOTO_ID, description: 'UUID of an account' }
const ROLE: Schema = { type: 'string', enum: ROLES }
const STATE: Schema = { type: 'string', enum: ACCOUNT_STATES }
export const NAME: Schema = {
  ...TEXT,
  minLength: 1,
  maxLength: UNITS * USER_NAME_CHARACTERS_MAX,
  description: 'letters, digits and any of . _ - @ +; upper and lower case are one',
  examples: ['anna']
}
export const DISPLAY: Schema = { ...TEXT, minLength: 1, maxLength: UNITS * DISPLAY_CHARACTERS_MAX, examples: ['Anna'] }
const MAIL: Schema = { ...TEXT, minLength: 3, maxLength: MAIL_CHARACTERS_MAX, examples: ['anna@example.org'] }
export const PASSWORD: Schema = {
  ...TEXT,
  maxLength: UNITS * PASSWORD_CHARACTERS_MAX,
  description: `${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters, of any kind`,
  examples: ['correct horse battery staple']
}
export const LABEL: Schema = {
  ...TEXT,
  minLength: 1,
  maxLength: UNITS * CREDENTIAL_LABEL_CHARACTERS_MAX,
  examples: ['kitchen tablet']
}

const QUOTA_BYTES: Schema = {
  ...nullable({ ...BYTES, maximum: Number.MAX_SAFE_INTEGER }),
  description: 'null: as much as fits'
}
const QUOTA_PHOTOS: Schema = {
  ...nullable({ ...COUNT, maximum: Number.MAX_SAFE_INTEGER }),
  description: 'null: as many as fit'
}
const ROOM = {
  quota: { ...object({ bytes: QUOTA_BYTES, photos: QUOTA_PHOTOS }), description: 'what its photos may take' },
  usage: {
    ...object({ bytes: BYTES, photos: COUNT }),
    type: ['object', 'null'],
    description: 'what they take, the trash included; null while the index is made anew after an upgrade'
  }
}

export const USER = object({
  user_id: USER_ID,
  name: {
    ...TEXT,
    description: 'no two accounts have the same one; after a cut one may have `~` and digits behind it'
  },
  display: nullable(TEXT),
  mail: nullable(TEXT),
  role: ROLE,
  state: STATE,
  has_password: { type: 'boolean' },
  contested: {
    type: 'boolean',
    description:
      'nodes that were cut off from each other have given it different rights, or its name to another one: the least counts'
  },
  closed_until: {
    ...nullable(TIME),
    description: 'of a closed account: until then an administrator can open it again; null for all others'
  },
  ...ROOM,
  created_at: TIME
})

const SESSION = object({
  session_id: PHOTO_ID,
  label: { ...nullable(TEXT), description: 'what the client said of itself' },
  node: { ...nullable(TEXT), description: 'where it was begun' },
  current: { type: 'boolean', description: 'it is that of this request' },
  created_at: TIME,
  expires_at: TIME
})

const KEY = object({
  key_id: PHOTO_ID,
  label: nullable(TEXT),
  scopes: array({ type: 'string', enum: API_KEY_SCOPES }),
  created_at: TIME,
  expires_at: nullable(TIME)
})

export const SESSION_STATE = object({
  user: {
    ...object({ user_id: USER_ID, name: TEXT, display: nullable(TEXT), role: ROLE, state: STATE, ...ROOM }),
    type: ['object', 'null'],
    description: 'who is logged in; null: nobody'
  },
  accounts: { type: 'boolean', description: 'requests need an account here' },
  signup: { type: 'string', enum: SIGNUPS, description: 'who may make an account for himself here' },
  can: array({ type: 'string', enum: RIGHTS }),
  expires_at: { ...nullable(TIME), description: 'when the session ends, if it is not used until then' },
  node: { ...object({ id: TEXT, name: TEXT }), description: 'the answering one' },
  nodes: array(object({ id: TEXT, name: TEXT, http: array(TEXT) }), {
    description:
      'the other members that said where browsers find them, those in reach first: for when this node does not answer; none for ' +
      'whom is not known'
  })
})
const COOKIE_SET = { 'Set-Cookie': { ...TEXT, description: 'keeps the session, for browsers' } }
const LOGIN_CODES = ['ERR_BAD_CREDENTIALS', 'ERR_ACCOUNT_DISABLED', 'ERR_TOO_MANY_TRIES'] as const
const USER_PARAMS = object({ id: USER_ID })

export const sessionSchema: Schema = {
  summary: 'Who asks, and what they may do; for pages',
  description:
    'While there are no accounts, everybody who reaches the node may do all but what only its operator may, which `operate` ' +
    "stands for. It is there when the request carries the operator's token.",
  tags: TAGS,
  rights: { needs: [] },
  response: { 200: json('now', SESSION_STATE) }
}

export const loginSchema: Schema = {
  summary: 'Logs a browser in',
  description: 'Any session that the request has is ended. Programs take an API key, or `POST /v1/tokens`.',
  tags: TAGS,
  rights: { needs: [] },
  body: object({ name: NAME, password: PASSWORD, label: LABEL }, ['label']),
  response: {
    200: json('logged in', SESSION_STATE, COOKIE_SET),
    ...problems(...LOGIN_CODES, 'ERR_NO_ACCOUNTS', ...RECORD_WRITE)
  }
}

export const logoutSchema: Schema = {
  summary: 'Logs a browser out; harmless for whoever is not logged in',
  tags: TAGS,
  rights: { needs: [] },
  response: { 204: { description: 'logged out', headers: COOKIE_SET }, ...problems(...RECORD_WRITE) }
}

const TOKENS = object({
  access_token: { ...TEXT, description: 'for `Authorization: Bearer`' },
  refresh_token: { ...nullable(TEXT), description: 'for another access token; null where one was sent' },
  expires_at: { ...TIME, description: 'of the access token' }
})

export const tokensSchema: Schema = {
  summary: 'Logs a program in, or gives it its next token',
  tags: TAGS,
  rights: { needs: [] },
  body: object(
    { name: NAME, password: PASSWORD, label: LABEL, refresh_token: { ...TEXT, minLength: 1, maxLength: 1_024 } },
    ['name', 'password', 'label', 'refresh_token']
  ),
  response: {
    200: json('tokens', TOKENS),
    ...problems(...LOGIN_CODES, 'ERR_NO_ACCOUNTS', 'ERR_UNAUTHENTICATED', 'ERR_SESSION_ENDED', ...RECORD_WRITE)
  }
}

export const tokenKeysSchema: Schema = {
  summary: 'What tokens are signed with, for others who want to verify them',
  tags: TAGS,
  rights: { needs: [] },
  response: {
    200: json('a set of keys (RFC 7517)', object({ keys: array({ type: 'object', additionalProperties: true }) })),
    ...problems('ERR_NO_ACCOUNTS')
  }
}

export const sessionsSchema: Schema = {
  summary: 'One’s own sessions, the latest first',
  tags: TAGS,
  rights: { needs: ['account'] },
  response: { 200: json('sessions', object({ sessions: array(SESSION) })) }
}

export const endSessionSchema: Schema = {
  summary: 'Ends one of one’s own sessions, or all `others`',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: object({
    id: { ...TEXT, pattern: '^(others|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$', examples: ['others'] }
  }),
  response: {
    200: json('ended', object({ ended: { type: 'integer', minimum: 0 } })),
    ...problems('ERR_SESSION_NOT_FOUND', ...RECORD_WRITE)
  }
}

export const keysSchema: Schema = {
  summary: 'One’s own API keys, the latest first',
  tags: TAGS,
  rights: { needs: ['account'] },
  response: { 200: json('keys', object({ keys: array(KEY) })) }
}

export const createKeySchema: Schema = {
  summary: 'Makes an API key: a program that sends it acts for the account, within its scopes',
  tags: TAGS,
  rights: { needs: ['account'] },
  body: object(
    {
      scopes: array({ type: 'string', enum: API_KEY_SCOPES }, { minItems: 1, maxItems: API_KEY_SCOPES.length }),
      label: LABEL,
      expires_at: { ...TIME, examples: ['2099-01-01T00:00:00Z'] }
    },
    ['label', 'expires_at']
  ),
  response: {
    201: json('made', object({ key: KEY, secret: { ...TEXT, description: 'shown this once' } })),
    ...problems('ERR_TOO_MANY_API_KEYS', ...RECORD_WRITE)
  }
}

export const deleteKeySchema: Schema = {
  summary: 'Deletes one of one’s own API keys; deleting again is harmless',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: object({ id: PHOTO_ID }),
  response: {
    200: json('deleted', object({ status: { type: 'string', const: 'deleted' }, key_id: PHOTO_ID })),
    ...problems('ERR_API_KEY_NOT_FOUND', ...RECORD_WRITE)
  }
}

export const usersSchema: Schema = {
  summary: 'Accounts, in the order of their names',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  querystring: object(
    {
      after: { ...USER_ID, description: 'next_after of the page before' },
      limit: { type: 'integer', minimum: 1, maximum: 1_000, default: 100 }
    },
    ['after', 'limit']
  ),
  response: {
    200: json('accounts', object({ users: array(USER), next_after: nullable(USER_ID) })),
    ...problems('ERR_BAD_ID')
  }
}

export const createUserSchema: Schema = {
  summary: 'Makes an account; from the first one on, requests need one',
  description:
    'Without a password nobody can log in before one is set. The first account should be that of an administrator.',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  body: object({ name: NAME, password: PASSWORD, display: DISPLAY, mail: MAIL, role: { ...ROLE, default: 'user' } }, [
    'password',
    'display',
    'mail',
    'role'
  ]),
  response: {
    201: json('made', USER, { Location: TEXT }),
    ...problems('ERR_NAME_TAKEN', 'ERR_CLUSTER_KEY_NEEDED', 'ERR_TOO_MANY_USERS', ...RECORD_WRITE)
  }
}

export const userSchema: Schema = {
  summary: 'An account; one’s own, or with `accounts` any',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: USER_PARAMS,
  response: { 200: json('the account', USER), ...problems('ERR_USER_NOT_FOUND') }
}

export const patchUserSchema: Schema = {
  summary: 'Changes what an account says of somebody; one’s own, or with `accounts` any',
  description:
    'Only with `accounts` can a name or a quota be changed. Nothing is taken away from who has more than a new quota.',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: USER_PARAMS,
  body: object(
    {
      name: NAME,
      display: nullable(DISPLAY),
      mail: nullable(MAIL),
      quota: object({ bytes: QUOTA_BYTES, photos: QUOTA_PHOTOS }, ['bytes', 'photos'])
    },
    ['name', 'display', 'mail', 'quota']
  ),
  response: {
    200: json('the account', USER),
    ...problems('ERR_USER_NOT_FOUND', 'ERR_NAME_TAKEN', ...RECORD_WRITE)
  }
}

export const passwordSchema: Schema = {
  summary: 'Changes one’s own password, with the old one; with `accounts`, sets that of anybody else',
  description: 'All sessions of the account end. Whoever changes his own by a cookie is logged in again.',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: USER_PARAMS,
  body: object({ old: PASSWORD, new: PASSWORD }, ['old']),
  response: {
    200: json('changed', object({ status: { type: 'string', const: 'changed' } }), COOKIE_SET),
    ...problems(...LOGIN_CODES, 'ERR_USER_NOT_FOUND', ...RECORD_WRITE)
  }
}

export const closeUserSchema: Schema = {
  summary: 'Closes an account: one’s own, with the password; with `accounts` any other',
  description:
    'All that it has begun ends at once. For seven days an administrator can open it again; then its photos go to the trash, ' +
    'or to the account that `photos` names, it leaves all albums, and nothing of it is left but its id.',
  tags: TAGS,
  rights: { needs: ['account'] },
  params: USER_PARAMS,
  body: object(
    {
      password: PASSWORD,
      photos: {
        ...TEXT,
        pattern: '^(trash|to:.+)$',
        maxLength: 3 + UNITS * USER_NAME_CHARACTERS_MAX,
        default: 'trash',
        description: '`trash`, or `to:` and the name or id of who gets them',
        examples: ['trash']
      }
    },
    ['password', 'photos']
  ),
  response: {
    200: json('the account', USER),
    ...problems(
      'ERR_BAD_CREDENTIALS',
      'ERR_ACCOUNT_DISABLED',
      'ERR_TOO_MANY_TRIES',
      'ERR_USER_NOT_FOUND',
      'ERR_LAST_ADMIN',
      ...RECORD_WRITE
    )
  }
}

export const roleSchema: Schema = {
  summary: 'Gives an account another role',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  params: USER_PARAMS,
  body: object({ role: ROLE }),
  response: {
    200: json('the account', USER),
    ...problems('ERR_USER_NOT_FOUND', 'ERR_LAST_ADMIN', ...RECORD_WRITE)
  }
}

export const stateSchema: Schema = {
  summary: 'Disables an account, or opens it again',
  description: 'All that a disabled account has begun stands still on every node that hears of it.',
  tags: TAGS,
  rights: { needs: ['accounts'] },
  params: USER_PARAMS,
  body: object({ state: { type: 'string', enum: ['open', 'disabled'] } }),
  response: {
    200: json('the account', USER),
    ...problems('ERR_USER_NOT_FOUND', 'ERR_LAST_ADMIN', ...RECORD_WRITE)
  }
}
