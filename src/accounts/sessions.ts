import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import { KeyedLock } from '../core/keyed-lock.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'
import type { Directory } from '../directory/directory.js'
import {
  ACCESS_KIND,
  type CredentialId,
  isCredentialInForce,
  type Password,
  rehashPasswordChanges,
  setPasswordChanges,
  viewAccess
} from '../domain/access.js'
import { newPhotoId, type SessionId, type UserId } from '../domain/ids.js'
import { SESSIONS_MAX } from '../domain/limits.js'
import {
  createSessionChanges,
  endSessionChanges,
  SESSION_KIND,
  SESSION_MS_MAX,
  type Session,
  viewSession
} from '../domain/session-record.js'
import type { RecordWriter } from '../store/record-writer.js'
import type { AccountCatalog } from './account-catalog.js'
import { checkPassword, labelOf } from './account-rules.js'
import type { OwnedRecords } from './owned-records.js'
import type { Passwords } from './passwords.js'
import type { Principals } from './principals.js'
import type { RecordLookup } from './record-lookup.js'
import type { IssuedToken, Tokens } from './tokens.js'
import type { Tries } from './tries.js'

/** A session is renewed while it is used, when this is left of its token, or less. */
const RENEWED_MS_LEFT = 11 * 3_600_000
/** Less is not worth a token. */
const RENEWED_MS_MIN = 60_000

export interface SessionsComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  readonly lookup: RecordLookup
  readonly writer: Pick<RecordWriter, 'write' | 'admit'>
  readonly catalog: Pick<AccountCatalog, 'called'>
  readonly owned: OwnedRecords
  readonly passwords: Passwords
  readonly tokens: Tokens
  readonly tries: Tries
  readonly principals: Principals
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** From where somebody logs in. */
export interface LoginFrom {
  readonly address: string
  /** What the client says of itself. */
  readonly label?: string | undefined
  /** The device token of an earlier log-in from there. */
  readonly device?: string | undefined
}

export interface LoggedIn {
  readonly session: Session
  /** For a cookie. */
  readonly token: IssuedToken
  /** For a cookie that is only sent with log-ins; logging out leaves it. */
  readonly device: IssuedToken
}

/** What a program gets instead of a cookie. */
export interface ProgramTokens {
  readonly access: IssuedToken
  readonly refresh: IssuedToken
}

/** Log-ins: a session is a record that every node hears of, and a token that every node can verify. */
export class Sessions {
  readonly #components: SessionsComponents
  readonly #nodeName: string | undefined
  readonly #lock = new KeyedLock()

  /** @param init.node - names this node in the sessions that begin here */
  constructor(components: SessionsComponents, init: { readonly node?: string | undefined } = {}) {
    this.#components = components
    this.#nodeName = init.node
  }

  /**
   * Where several accounts claim the name, the password says who is meant.
   *
   * @throws `ERR_BAD_CREDENTIALS`, `ERR_ACCOUNT_DISABLED` after the right password only, `ERR_TOO_MANY_TRIES`,
   *   `ERR_OVERLOADED`, what the store throws
   */
  async login(name: string, password: string, from: LoginFrom): Promise<LoggedIn> {
    const { writer, tries, catalog } = this.#components
    writer.admit()
    const holders = catalog.called(name)
    const attempt = { name, address: from.address, device: await this.#deviceOf(from, holders) }
    tries.begin(attempt)
    for (const id of holders.length === 0 ? [undefined] : holders) {
      const right = await this.#proveByPassword(id, password, from.address)
      if (right === undefined) continue
      tries.succeeded(attempt)
      return this.#begin(right, from.label)
    }
    throw new SheafError('ERR_BAD_CREDENTIALS')
  }

  /** Tokens of a session for a program; its refresh token is good as long as the session. */
  async programTokens(session: Session): Promise<ProgramTokens> {
    const { tokens } = this.#components
    const claims = { userId: session.userId, sessionId: session.id, credential: session.credential }
    const access = await tokens.issue('access', claims, session.untilMs)
    return { access, refresh: await tokens.issue('refresh', claims, session.untilMs) }
  }

  /** @returns another access token. @throws as `Principals.authenticate` */
  async refresh(refreshToken: string, address: string): Promise<IssuedToken> {
    const { principals, tokens } = this.#components
    const { claims, session } = await principals.proveSession(refreshToken, ['refresh'], address)
    return tokens.issue('access', claims, session?.untilMs ?? claims.expiresAtMs)
  }

  /**
   * @param expiresAtMs - when the token ends that the client has
   * @returns the next one; undefined while there is no need, and where the session is not known here
   */
  async renew(id: SessionId, expiresAtMs: number): Promise<IssuedToken | undefined> {
    const { clock, tokens } = this.#components
    if (expiresAtMs - clock.now() > RENEWED_MS_LEFT) return undefined
    const session = this.#view(id)
    if (session === undefined || session.isEnded || session.untilMs - expiresAtMs < RENEWED_MS_MIN) return undefined
    const { userId, credential, untilMs } = session
    return tokens.issue('session', { userId, sessionId: id, credential }, untilMs)
  }

  /** Those of an account that live, the latest first. */
  list(userId: UserId): Session[] {
    const { owned, clock } = this.#components
    return owned
      .of(userId)
      .flatMap(id => this.#view(id as SessionId) ?? [])
      .filter(session => session.untilMs > clock.now())
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  /** Ends a session of an account. Ending it again is harmless. @throws `ERR_SESSION_NOT_FOUND`, what the store throws */
  async end(userId: UserId, id: SessionId): Promise<void> {
    const session = this.#view(id)
    if (session?.userId !== userId)
      throw new SheafError('ERR_SESSION_NOT_FOUND', undefined, { details: { session_id: id } })
    await this.#end(session)
  }

  /** @param keep - stays @returns how many ended */
  async endOthers(userId: UserId, keep?: SessionId): Promise<number> {
    const others = this.list(userId).filter(({ id }) => id !== keep)
    for (const session of others) await this.#end(session)
    return others.length
  }

  /** Ends the session that a token is of, also where nobody in reach has heard of it. Any other text is harmless. */
  async logOut(text: string): Promise<void> {
    const { tokens, writer } = this.#components
    const claims = await tokens.verify(text, ['session', 'access', 'refresh'])
    if (claims === undefined) return
    const { sessionId: id, userId, credential, issuedAtMs } = claims
    const { lookup } = this.#components
    await lookup.fetch({ kind: SESSION_KIND, id })
    if (lookup.here({ kind: SESSION_KIND, id }) === 'buried') return
    const session = { userId, credential, createdAtMs: issuedAtMs, untilMs: issuedAtMs + SESSION_MS_MAX }
    await writer.write({ kind: SESSION_KIND, id }, before => endSessionChanges(before, session))
  }

  /**
   * Changes one's own password. All sessions end, and another one begins.
   *
   * @throws `ERR_BAD_CREDENTIALS`: the old one is wrong; `ERR_ACCOUNT_DISABLED`, `ERR_BAD_PARAMETER`, `ERR_TOO_MANY_TRIES`,
   *   `ERR_OVERLOADED`, what the store throws
   */
  async changePassword(
    userId: UserId,
    change: { readonly old: string; readonly new: string },
    from: LoginFrom
  ): Promise<LoggedIn> {
    const { writer, tries, passwords } = this.#components
    const password = checkPassword(change.new)
    writer.admit()
    const attempt = { name: userId, address: from.address, device: userId }
    tries.begin(attempt)
    const right = await this.#proveByPassword(userId, change.old, from.address)
    if (right === undefined) throw new SheafError('ERR_BAD_CREDENTIALS', 'the old password is wrong')
    tries.succeeded(attempt)
    const phc = await passwords.hash(password, from.address)
    const record = await writer.write({ kind: ACCESS_KIND, id: userId }, before => {
      // somebody else has set another one meanwhile
      if (before === undefined || !isCredentialInForce(before, right.password.credential))
        throw new SheafError('ERR_BAD_CREDENTIALS', 'the old password was changed meanwhile')
      return setPasswordChanges(phc, 'set', userId)
    })
    await this.endOthers(userId)
    const { credential = '' } = viewAccess(record)?.password ?? {}
    return this.#begin({ userId, password: { ...right.password, credential } }, from.label)
  }

  /**
   * Before what cannot be taken back. Tries count as those of log-ins do.
   *
   * @throws `ERR_BAD_CREDENTIALS`, `ERR_ACCOUNT_DISABLED`, `ERR_TOO_MANY_TRIES`, `ERR_OVERLOADED`
   */
  async requirePassword(userId: UserId, password: string, address: string): Promise<void> {
    const attempt = { name: userId, address, device: userId }
    this.#components.tries.begin(attempt)
    if ((await this.#proveByPassword(userId, password, address)) === undefined)
      throw new SheafError('ERR_BAD_CREDENTIALS', 'the password is wrong')
    this.#components.tries.succeeded(attempt)
  }

  /**
   * @param id - undefined: nobody, which takes as long
   * @returns undefined when the password is wrong
   * @throws `ERR_ACCOUNT_DISABLED` when it is right
   */
  async #proveByPassword(id: UserId | undefined, password: string, address: string): Promise<ByPassword | undefined> {
    const { passwords } = this.#components
    const known = id && this.#passwordOf(id)
    const isRight = await passwords.verify(known?.phc, password, address)
    if (!isRight || id === undefined || known === undefined) return undefined
    const record = this.#components.directory.lookUp({ kind: ACCESS_KIND, id }).stored?.record
    // it may have been changed while it was hashed
    if (record === undefined || !isCredentialInForce(record, known.credential)) return undefined
    if (viewAccess(record)?.state !== 'open') throw new SheafError('ERR_ACCOUNT_DISABLED')
    if (passwords.isOutgrown(known.phc)) await this.#rehash(id, known, password, address)
    return { userId: id, password: known }
  }

  /** With what hashes cost now; failing that, it is done another time. */
  async #rehash(id: UserId, { credential }: Password, password: string, address: string): Promise<void> {
    const { passwords, writer, log } = this.#components
    try {
      const phc = await passwords.hash(password.normalize('NFC'), address)
      await writer.write({ kind: ACCESS_KIND, id }, before =>
        before === undefined ? [] : rehashPasswordChanges(before, credential, phc)
      )
    } catch (err) {
      log.debug({ err }, 'a password could not be hashed anew')
    }
  }

  #passwordOf(id: UserId): Password | undefined {
    const record = this.#components.directory.lookUp({ kind: ACCESS_KIND, id }).stored?.record
    return record && viewAccess(record)?.password
  }

  /** @returns the session that one of these accounts once had there; undefined: nobody knows the device */
  async #deviceOf({ device }: LoginFrom, holders: readonly UserId[]): Promise<string | undefined> {
    const claims = device === undefined ? undefined : await this.#components.tokens.verify(device, ['device'])
    return claims !== undefined && holders.includes(claims.userId) ? claims.sessionId : undefined
  }

  /** One at a time for each account, so that their number stays bounded. */
  #begin({ userId, password }: ByPassword, label: string | undefined): Promise<LoggedIn> {
    return this.#lock.run(userId, async () => {
      await this.#makeRoom(userId)
      return this.#write(userId, password.credential, labelOf(label))
    })
  }

  async #write(userId: UserId, credential: CredentialId, label: string | undefined): Promise<LoggedIn> {
    const { clock, random, writer, tokens } = this.#components
    const id = newPhotoId(clock, random) as string as SessionId
    const createdAtMs = clock.now()
    const session = {
      userId,
      credential,
      label,
      node: this.#nodeName,
      createdAtMs,
      untilMs: createdAtMs + SESSION_MS_MAX
    }
    await writer.write({ kind: SESSION_KIND, id }, () => createSessionChanges(session))
    const claims = { userId, sessionId: id, credential }
    const token = await tokens.issue('session', claims, session.untilMs)
    return { session: { ...session, id, isEnded: false }, token, device: await tokens.issue('device', claims) }
  }

  /** Ends those whose time is over, and the oldest where there are as many as there may be. */
  async #makeRoom(userId: UserId): Promise<void> {
    const { owned, clock } = this.#components
    const sessions = owned.of(userId).flatMap(id => this.#view(id as SessionId) ?? [])
    const over = sessions.filter(({ untilMs }) => untilMs <= clock.now())
    const live = sessions.filter(({ untilMs }) => untilMs > clock.now()).sort((a, b) => a.createdAtMs - b.createdAtMs)
    for (const session of [...over, ...live.slice(0, Math.max(0, live.length - SESSIONS_MAX + 1))])
      await this.#end(session)
  }

  #view(id: SessionId): Session | undefined {
    const record = this.#components.directory.lookUp({ kind: SESSION_KIND, id }).stored?.record
    return record && viewSession(record)
  }

  async #end(session: Session): Promise<void> {
    const key = { kind: SESSION_KIND, id: session.id }
    await this.#components.writer.write(key, before => endSessionChanges(before, session))
  }
}

interface ByPassword {
  readonly userId: UserId
  readonly password: Password
}
