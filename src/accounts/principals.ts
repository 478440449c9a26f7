import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.js'
import { hasCode, SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { RecordChange } from '../directory/batch-plan.js'
import type { Directory } from '../directory/directory.js'
import { ACCESS_KIND, type Access, isCredentialInForce, viewAccess } from '../domain/access.js'
import { API_KEY_KIND, isLikeApiKey, isSecretOf, parseApiKey, viewApiKey } from '../domain/api-key.js'
import type { UserId } from '../domain/ids.js'
import type { UserPrincipal } from '../domain/principal.js'
import type { DirectoryRecord, RecordKey } from '../domain/record.js'
import { SESSION_KIND, type Session, viewSession } from '../domain/session-record.js'
import { SETTINGS_KIND } from '../domain/settings-record.js'
import { USER_KIND } from '../domain/user.js'
import type { AccountCatalog } from './account-catalog.js'
import type { RecordLookup, Unknown } from './record-lookup.js'
import type { TokenClaims, Tokens, TokenType } from './tokens.js'
import { FailureLimit } from './tries.js'

const CACHED_MAX = 4_096
/** How much earlier than a cut a token may have been issued that is accepted unheard. */
const CUT_TOLERANCE_MS = 60_000
const CREDENTIAL_CHARACTERS_MAX = 1_024

export interface PrincipalsComponents {
  readonly directory: Pick<Directory, 'onChange' | 'onOpaque'>
  readonly lookup: RecordLookup
  readonly catalog: Pick<AccountCatalog, 'nameOf'>
  readonly tokens: Tokens
  readonly clock: Clock
  /** Since when some member has not been heard, ms since the Unix epoch; undefined: all are. Default: all are. */
  readonly cutSinceMs?: (() => number | undefined) | undefined
}

/** Who sent something, and until when that is known. */
export interface Authenticated {
  readonly principal: UserPrincipal
  /** When the token, the session or the API key ends, ms since the Unix epoch. */
  readonly expiresAtMs: number
}

/** A session in force. */
export interface Proven {
  readonly claims: TokenClaims
  /** Undefined: it was begun beyond a cut, and is believed unheard. */
  readonly session: Session | undefined
  readonly access: Access
}

/**
 * Says who a request is from. What was found is remembered by the exact text that was sent, and forgotten in the batch that
 * changes anything about that account, so a revocation acts as soon as its record arrives.
 */
export class Principals implements Startable {
  readonly #components: PrincipalsComponents
  readonly #failures: FailureLimit
  readonly #cache = new LRUCache<string, Authenticated>({ max: CACHED_MAX })
  #unsubscribe = (): void => {}

  constructor(components: PrincipalsComponents) {
    this.#components = components
    this.#failures = new FailureLimit(components)
  }

  async start(): Promise<void> {
    const { directory } = this.#components
    const offChange = directory.onChange(changes => this.#forget(changes))
    const offOpaque = directory.onOpaque(keys => {
      if (keys.some(({ kind }) => KINDS.has(kind))) this.#cache.clear()
    })
    this.#unsubscribe = () => {
      offChange()
      offOpaque()
    }
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    this.#cache.clear()
  }

  /** @returns who sent that text, as far as it is remembered; it takes a microsecond */
  remembered(text: string): Authenticated | undefined {
    const known = this.#cache.get(text)
    return known !== undefined && known.expiresAtMs > this.#components.clock.now() ? known : undefined
  }

  /**
   * @param text - a token of a session, or an access token, or an API key
   * @param address - of the client
   * @throws `ERR_UNAUTHENTICATED`, `ERR_SESSION_ENDED`, `ERR_ACCOUNT_DISABLED`, `ERR_TOO_MANY_TRIES`,
   *   `ERR_DIRECTORY_UNAVAILABLE`; `ERR_FORMAT_TOO_NEW` where a later version has written about that account
   */
  async authenticate(text: string, address: string): Promise<Authenticated> {
    const known = this.remembered(text)
    if (known !== undefined) return known
    return this.#limited(address, async () => {
      if (text.length > CREDENTIAL_CHARACTERS_MAX) throw new SheafError('ERR_UNAUTHENTICATED')
      return isLikeApiKey(text) ? this.#byApiKey(text) : this.#byToken(text)
    })
  }

  /** @throws as `authenticate` */
  proveSession(text: string, types: readonly TokenType[], address: string): Promise<Proven> {
    return this.#limited(address, () => this.#prove(text, types))
  }

  async #limited<Result>(address: string, task: () => Promise<Result>): Promise<Result> {
    this.#failures.check(address)
    try {
      return await task()
    } catch (err) {
      if (hasCode(err, 'ERR_UNAUTHENTICATED') || hasCode(err, 'ERR_SESSION_ENDED')) this.#failures.note(address)
      throw err
    }
  }

  async #byToken(text: string): Promise<Authenticated> {
    const { claims, session, access } = await this.#prove(text, ['session', 'access'])
    const principal = this.#principalOf(access, { session: claims.sessionId })
    const expiresAtMs = Math.min(claims.expiresAtMs, session?.untilMs ?? claims.expiresAtMs)
    // what is believed unheard is asked for again each time
    return session === undefined ? { principal, expiresAtMs } : this.#remember(text, { principal, expiresAtMs })
  }

  async #prove(text: string, types: readonly TokenType[]): Promise<Proven> {
    const { tokens, lookup } = this.#components
    const claims = await tokens.verify(text, types)
    if (claims === undefined) throw new SheafError('ERR_UNAUTHENTICATED')
    const { sessionId: id, userId } = claims
    const unknown = await lookup.fetch({ kind: SESSION_KIND, id })
    await this.#fetchAccount(userId)
    // from here on in one turn, so that no change comes between what is read and what is remembered
    const session = this.#sessionIn(claims, unknown)
    const { access, record } = this.#requireOpen(userId)
    if (!isCredentialInForce(record, claims.credential)) throw new SheafError('ERR_SESSION_ENDED')
    return { claims, session, access }
  }

  /** @returns undefined for one that is believed unheard */
  #sessionIn(claims: TokenClaims, unknown: Unknown | undefined): Session | undefined {
    const { lookup, clock, cutSinceMs } = this.#components
    const record = lookup.here({ kind: SESSION_KIND, id: claims.sessionId })
    if (record === 'buried') throw new SheafError('ERR_SESSION_ENDED')
    if (record === undefined) {
      const sinceMs = cutSinceMs?.() ?? clock.now()
      if (unknown === 'unheard' && claims.issuedAtMs >= sinceMs - CUT_TOLERANCE_MS) return undefined
      throw new SheafError('ERR_UNAUTHENTICATED', 'no node in reach knows the session; log in again')
    }
    const session = viewSession(record)
    if (session?.userId !== claims.userId || session.credential !== claims.credential)
      throw new SheafError('ERR_UNAUTHENTICATED')
    if (session.isEnded || session.untilMs <= clock.now()) throw new SheafError('ERR_SESSION_ENDED')
    return session
  }

  async #byApiKey(text: string): Promise<Authenticated> {
    const { lookup, clock } = this.#components
    const sent = parseApiKey(text)
    if (sent === undefined) throw new SheafError('ERR_UNAUTHENTICATED', 'the API key is malformed: look for a typo')
    const recordKey = { kind: API_KEY_KIND, id: sent.id }
    await lookup.fetch(recordKey)
    const owner = liveKeyIn(lookup.here(recordKey))?.userId
    if (owner !== undefined) await this.#fetchAccount(owner)
    const key = liveKeyIn(lookup.here(recordKey))
    const isInForce = key !== undefined && isSecretOf(key, sent.secret) && (key.untilMs ?? Infinity) > clock.now()
    if (!isInForce) throw new SheafError('ERR_UNAUTHENTICATED', 'the API key was deleted, has ended, or never was one')
    const { access } = this.#requireOpen(key.userId)
    const principal = this.#principalOf(access, { key: key.id, scopes: key.scopes })
    return this.#remember(text, { principal, expiresAtMs: key.untilMs ?? Number.MAX_SAFE_INTEGER })
  }

  async #fetchAccount(id: UserId): Promise<void> {
    for (const kind of [ACCESS_KIND, USER_KIND]) await this.#components.lookup.fetch({ kind, id })
  }

  #requireOpen(id: UserId): { readonly access: Access; readonly record: DirectoryRecord } {
    const record = this.#components.lookup.here({ kind: ACCESS_KIND, id })
    const access = record === undefined || record === 'buried' ? undefined : viewAccess(record)
    if (access === undefined) throw new SheafError('ERR_UNAUTHENTICATED', 'no node in reach knows the account')
    if (access.state !== 'open') throw new SheafError('ERR_ACCOUNT_DISABLED')
    return { access, record: record as DirectoryRecord }
  }

  #principalOf({ id, role }: Access, via: UserPrincipal['via']): UserPrincipal {
    return { kind: 'user', userId: id, name: this.#components.catalog.nameOf(id) ?? id, role, via }
  }

  #remember(text: string, authenticated: Authenticated): Authenticated {
    this.#cache.set(text, authenticated)
    return authenticated
  }

  #forget(changes: readonly RecordChange[]): void {
    if (this.#cache.size === 0) return
    const users = new Set<UserId>()
    for (const { key, before, after } of changes) {
      // a name may change how others are shown
      if (key.kind === USER_KIND || key.kind === SETTINGS_KIND) {
        this.#cache.clear()
        return
      }
      const user = whoseIs(key, after ?? before)
      if (user !== undefined) users.add(user)
    }
    if (users.size === 0) return
    for (const [text, { principal }] of this.#cache.entries()) if (users.has(principal.userId)) this.#cache.delete(text)
  }
}

const KINDS: ReadonlySet<string> = new Set([USER_KIND, ACCESS_KIND, SESSION_KIND, API_KEY_KIND, SETTINGS_KIND])

function liveKeyIn(record: DirectoryRecord | 'buried' | undefined): ReturnType<typeof viewApiKey> {
  const key = record === undefined || record === 'buried' ? undefined : viewApiKey(record)
  return key?.isDeleted === false ? key : undefined
}

function whoseIs({ kind, id }: RecordKey, record: DirectoryRecord | undefined): UserId | undefined {
  if (kind === ACCESS_KIND) return id as UserId
  if (record === undefined) return undefined
  if (kind === SESSION_KIND) return viewSession(record)?.userId
  return kind === API_KEY_KIND ? viewApiKey(record)?.userId : undefined
}
