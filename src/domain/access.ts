/*
 * What an account may do, and how it is proven, as a record of the kind 'access', id = that of the 'user'. It is never
 * deleted, so its rank stays 0 for ever, and all that counts are elements:
 *
 *   field    key        value
 *   version  –          empty
 *   secret   password   phc, why: set | reset, by, cred? (of a password that was only hashed anew: the write that set it)
 *   state    state      state: open | disabled | closed, by, photos? (of a closed one: trash, or the id of who gets them)
 *   role     role       role: guest | user | auditor | admin, by
 *
 * A write replaces what it saw. What was written at the same time on the other side of a cut stays beside it, and the least
 * counts: the least role, the most closed state, and a password that an administrator has set before one of the account's
 * own. So what takes away is a value, too, and wins; whoever gives again after having seen all that is obeyed.
 */
import { compareVersions, type Entry } from './entry.js'
import { formatHlc, type Hlc, hlcMs, parseHlc } from './hlc.js'
import { parseUserId, type UserId } from './ids.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { mapOf, textOf } from './value-fields.js'
import { compareDots, covers, type Dot, LIFE_BYTES, type LifeActor } from './version-vector.js'

export const ACCESS_KIND = 'access'

/** From the least. */
export const ROLES = ['guest', 'user', 'auditor', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** From what counts least. */
export const ACCOUNT_STATES = ['open', 'disabled', 'closed'] as const
export type AccountState = (typeof ACCOUNT_STATES)[number]

/** Who did something: an account, or the operator of a node. */
export type Doer = UserId | 'operator'

/** Names the write that set a password: `<hlc>-<actor>-<counter>`. A session has that of the password that began it. */
export type CredentialId = string

export interface Password {
  /** Empty: one that nobody can have written. */
  readonly phc: string
  readonly why: 'set' | 'reset'
  readonly credential: CredentialId
}

export interface Access {
  readonly id: UserId
  readonly role: Role
  readonly state: AccountState
  /** Of one that somebody has closed, and nobody has opened since: what becomes of it. */
  readonly closing: Closing | undefined
  /** Undefined: nobody can log in by password. */
  readonly password: Password | undefined
  /** Whether writes on both sides of a cut differed, so that somebody's did not count. */
  readonly isContested: boolean
}

/** What becomes of an account that is closed. */
export interface Closing {
  /** Until then it can be opened again, ms since the Unix epoch. */
  readonly untilMs: number
  readonly photos: Inheritance
}

/** What becomes of somebody's photos: they go to the trash, or to another account. */
export type Inheritance = 'trash' | UserId

export interface NewAccess {
  readonly role: Role
  readonly phc: string | undefined
  readonly why: Password['why']
  readonly by: Doer
}

/** For so long a closed account can be opened again. */
const CLOSING_MS = 7 * 86_400_000
/** Of a hashed password, as a PHC string. */
export const PHC_CHARACTERS_MAX = 256
const CREDENTIAL = new RegExp(
  `^([0-9]{1,15}\\.[0-9]{1,5})-([0-9a-f]{16}(?:[0-9a-f]{${2 * LIFE_BYTES}})?)-([1-9][0-9]{0,14})$`
)

/**
 * Total and bounded, since another node may have written the record: what is missing or unknown counts as the least.
 *
 * @returns undefined for other kinds and ids
 */
export function viewAccess(record: DirectoryRecord): Access | undefined {
  const id = record.kind === ACCESS_KIND ? parseUserId(record.id) : undefined
  if (id === undefined || id !== record.id) return undefined
  const roles = valuesOf(record, 'role', ROLES)
  const states = valuesOf(record, 'state', ACCOUNT_STATES)
  const passwords = passwordsOf(record)
  return {
    id,
    role: ROLES.find(role => roles.includes(role)) ?? 'guest',
    state: ACCOUNT_STATES.findLast(state => states.includes(state)) ?? 'disabled',
    closing: closingIn(record),
    password: passwords.at(-1)?.password,
    isContested: roles.length > 1 || states.length > 1 || passwords.length > 1
  }
}

/**
 * Whether what was begun with a credential may go on: that is the one that counts, or one of which this record has not heard
 * yet. One that it has seen and that does not count any more is over.
 */
export function isCredentialInForce(record: DirectoryRecord, credential: CredentialId): boolean {
  if (credential === viewAccess(record)?.password?.credential) return true
  const dot = parseCredential(credential)?.dot
  return dot !== undefined && !covers(record.context, dot)
}

export function createAccessChanges({ role, phc, why, by }: NewAccess): Change[] {
  return [
    { kind: 'version', deleted: false, value: new Map() },
    ...(phc === undefined ? [] : setPasswordChanges(phc, why, by)),
    ...element('state', { state: 'open', by }),
    ...element('role', { role, by })
  ]
}

/** @returns no changes if that is its role already, undisputed */
export function setRoleChanges(record: DirectoryRecord, role: Role, by: Doer): Change[] {
  return isOnly(valuesOf(record, 'role', ROLES), role) ? [] : element('role', { role, by })
}

/** @returns no changes if that is its state already, undisputed */
export function setStateChanges(record: DirectoryRecord, state: AccountState, by: Doer): Change[] {
  return isOnly(valuesOf(record, 'state', ACCOUNT_STATES), state) ? [] : element('state', { state, by })
}

/** @returns no changes if it is closed already, undisputed */
export function closeChanges(record: DirectoryRecord, photos: Inheritance, by: Doer): Change[] {
  return isOnly(valuesOf(record, 'state', ACCOUNT_STATES), 'closed')
    ? []
    : element('state', { state: 'closed', photos, by })
}

/** @returns no changes if there is none */
export function removePasswordChanges(record: DirectoryRecord): Change[] {
  return passwordsOf(record).length === 0 ? [] : [{ kind: 'remove', field: 'secret', key: 'password' }]
}

export function setPasswordChanges(phc: string, why: Password['why'], by: Doer): Change[] {
  return [{ kind: 'add', field: 'secret', key: 'password', value: mapOf({ phc, why, by }) }]
}

/**
 * The same password, hashed anew: it stays in force against, and loses against, whatever it did before.
 *
 * @returns no changes if another password counts meanwhile
 */
export function rehashPasswordChanges(record: DirectoryRecord, credential: CredentialId, phc: string): Change[] {
  const counting = passwordsOf(record).at(-1)
  if (counting?.password.credential !== credential) return []
  const value = new Map(counting.entry.value).set('phc', phc).set('cred', credential)
  return [{ kind: 'add', field: 'secret', key: 'password', value }]
}

/** Only what somebody has closed ends for good: what this version cannot read counts as closed, and may be anything. */
function closingIn(record: DirectoryRecord): Closing | undefined {
  const states = elementsOf(record, 'state').filter(({ key }) => key === 'state')
  const isKnown = ({ value }: Entry): boolean => ACCOUNT_STATES.some(state => state === value.get('state'))
  const last = states
    .filter(({ value }) => value.get('state') === 'closed')
    .sort(compareVersions)
    .at(-1)
  if (last === undefined || !states.every(isKnown)) return undefined
  return {
    untilMs: hlcMs(last.hlc) + CLOSING_MS,
    photos: parseUserId(textOf(last.value, 'photos') ?? '') ?? 'trash'
  }
}

/** @returns one value for each entry in force; what is unknown counts as the least role, or as the most closed state */
function valuesOf<Name extends string>(
  record: DirectoryRecord,
  field: 'role' | 'state',
  names: readonly Name[]
): readonly Name[] {
  const least = (field === 'role' ? names[0] : names.at(-1)) as Name
  return elementsOf(record, field)
    .filter(({ key }) => key === field)
    .map(({ value }) => names.find(name => name === value.get(field)) ?? least)
}

function isOnly<Name>(names: readonly Name[], name: Name): boolean {
  return names.length === 1 && names[0] === name
}

interface Stated {
  readonly entry: Entry
  readonly password: Password
  readonly stamp: { readonly hlc: Hlc; readonly dot: Dot }
}

/** @returns what was written at the same time, in the order in which it counts, the last one most */
function passwordsOf(record: DirectoryRecord): Stated[] {
  return elementsOf(record, 'secret')
    .filter(({ key }) => key === 'password')
    .map(statedBy)
    .sort(comparePasswords)
}

function statedBy(entry: Entry): Stated {
  const { value, hlc, dot } = entry
  const phc = textOf(value, 'phc') ?? ''
  const kept = textOf(value, 'cred') ?? ''
  const stamp = parseCredential(kept) ?? { hlc, dot }
  return {
    entry,
    stamp,
    password: {
      phc: phc.length <= PHC_CHARACTERS_MAX ? phc : '',
      why: textOf(value, 'why') === 'reset' ? 'reset' : 'set',
      credential: credentialOf(stamp)
    }
  }
}

function comparePasswords(a: Stated, b: Stated): number {
  const isReset = ({ password }: Stated): number => Number(password.why === 'reset')
  return isReset(a) - isReset(b) || compareStamps(a.stamp, b.stamp) || compareVersions(a.entry, b.entry)
}

function compareStamps(a: Stated['stamp'], b: Stated['stamp']): number {
  return a.hlc === b.hlc ? compareDots(a.dot, b.dot) : a.hlc < b.hlc ? -1 : 1
}

function credentialOf({ hlc, dot }: Stated['stamp']): CredentialId {
  return `${formatHlc(hlc)}-${dot.actor}-${dot.counter}`
}

function parseCredential(text: CredentialId): Stated['stamp'] | undefined {
  const [, stamp = '', actor, counter] = CREDENTIAL.exec(text) ?? []
  const hlc = parseHlc(stamp)
  return hlc === undefined ? undefined : { hlc, dot: { actor: actor as LifeActor, counter: Number(counter) } }
}

function element(field: 'state' | 'role', value: Readonly<Record<string, string>>): Change[] {
  return [{ kind: 'add', field, key: field, value: mapOf(value) }]
}
