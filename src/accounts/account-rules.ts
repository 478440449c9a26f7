import { SheafError } from '../core/errors.js'
import { API_KEY_SCOPES, type ApiKeyScope } from '../domain/api-key.js'
import { parseGroupId } from '../domain/ids.js'
import {
  CREDENTIAL_LABEL_CHARACTERS_MAX,
  DISPLAY_CHARACTERS_MAX,
  GROUP_NAME_CHARACTERS_MAX,
  MAIL_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MIN,
  USER_NAME_CHARACTERS_MAX
} from '../domain/limits.js'
import type { QuotaEdit } from '../domain/user.js'
import { checkedUserName } from '../domain/user-names.js'
import { cutLine } from '../domain/value-fields.js'

/*
 * What a client may say of accounts.
 */

/** @returns the name as it is kept. @throws `ERR_BAD_PARAMETER` */
export function checkName(text: string): string {
  const name = checkedUserName(text)
  if (name !== undefined) return name
  throw badField(
    'name',
    `a name has at most ${USER_NAME_CHARACTERS_MAX} letters, digits and any of . _ - @ +, begins with a letter or digit, ` +
      'and is neither a UUID nor a word like operator'
  )
}

/** @returns the name that others see. @throws `ERR_BAD_PARAMETER` */
export function checkDisplay(display: string): string {
  return checkLine('display', display, DISPLAY_CHARACTERS_MAX)
}

/** @returns the name of a group; several may have the same. @throws `ERR_BAD_PARAMETER` */
export function checkGroupName(name: string): string {
  const line = checkLine('name', name, GROUP_NAME_CHARACTERS_MAX)
  if (parseGroupId(line) !== undefined)
    throw badField('name', 'a name must not be a UUID, since groups are named by id, too')
  return line
}

/** Nothing is sent to it, so nobody asks whether it exists. @throws `ERR_BAD_PARAMETER` */
export function checkMail(mail: string): string {
  if (!/^[^\s@]+@[^\s@]+$/.test(mail)) throw badField('mail', 'an address of mail looks like NAME@HOST')
  return checkLine('mail', mail, MAIL_CHARACTERS_MAX)
}

/** @throws `ERR_BAD_PARAMETER` */
export function checkQuota<Said extends QuotaEdit>(quota: Said): Said {
  for (const [field, value] of Object.entries(quota))
    if (value !== undefined && value !== null && !(Number.isSafeInteger(value) && value >= 0))
      throw badField(`quota.${field}`, 'a quota is a whole number from 0')
  return quota
}

/** Of a session or an API key; it is cut, as clients do not choose it themselves. */
export function labelOf(text: string | undefined): string | undefined {
  return cutLine(text, CREDENTIAL_LABEL_CHARACTERS_MAX)
}

/** @returns the password in NFC, however a keyboard composes it. @throws `ERR_BAD_PARAMETER` */
export function checkPassword(text: string): string {
  const password = normalPassword(text)
  if (password !== undefined && [...password].length >= PASSWORD_CHARACTERS_MIN) return password
  throw badField(
    'password',
    `a password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters; any are allowed`
  )
}

/** @returns undefined for what is too long to be anybody's password */
export function normalPassword(text: string): string | undefined {
  if (text.length > 4 * PASSWORD_CHARACTERS_MAX) return undefined
  const password = text.normalize('NFC')
  return [...password].length <= PASSWORD_CHARACTERS_MAX ? password : undefined
}

/** @returns the scopes, each once. @throws `ERR_BAD_PARAMETER` */
export function checkScopes(scopes: readonly string[]): ApiKeyScope[] {
  const known = API_KEY_SCOPES.filter(scope => scopes.includes(scope))
  if (known.length > 0 && scopes.every(scope => known.includes(scope as ApiKeyScope))) return known
  throw badField('scopes', `a key needs one or more of ${API_KEY_SCOPES.join(', ')}`)
}

function checkLine(field: string, text: string, charactersMax: number): string {
  const line = text.trim()
  if (line !== '' && [...line].length <= charactersMax && cutLine(line, charactersMax) === line) return line
  throw badField(field, `${field} has 1 to ${charactersMax} characters and is one line`)
}

/** @returns `ERR_BAD_PARAMETER` */
export function badField(field: string, message: string): SheafError {
  return new SheafError('ERR_BAD_PARAMETER', message, { details: { field } })
}
