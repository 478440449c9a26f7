/*
 * Tokens: what a client sends to say who it is, signed by the cluster's key. JSON Web Tokens in the compact form.
 *
 *   header   alg 'EdDSA', kid the key's tag, typ one of those below, and nothing else
 *   claims   iss 'sheaf', aud the cluster's name, sub user, sid session, cred credential (access.ts), iat, exp (s)
 *
 *   typ                  lives at most   sent
 *   sheaf-session+jwt    12 hours        in a cookie; while it is used, another one follows, until the session ends
 *   sheaf-access+jwt     15 minutes      with each request of a program
 *   sheaf-refresh+jwt    30 days         for another one of the second kind
 *   sheaf-device+jwt     180 days        with a log-in: somebody has logged in from there before; it opens nothing
 *
 * A token says that somebody logged in; whether that still holds, the records say.
 *
 * @see RFC 7519, RFC 8037, RFC 8725
 */
import { decodeProtectedHeader, exportJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../core/clock.js'
import type { CredentialId } from '../domain/access.js'
import { parseSessionId, parseUserId, type SessionId, type UserId } from '../domain/ids.js'
import type { TokenKey } from './token-keys.js'

export type TokenType = 'session' | 'access' | 'refresh' | 'device'

const DAY_S = 24 * 3_600
const LIFE_S: Readonly<Record<TokenType, number>> = {
  session: DAY_S / 2,
  access: 15 * 60,
  refresh: 30 * DAY_S,
  device: 180 * DAY_S
}
const TYPES: ReadonlyMap<unknown, TokenType> = new Map(
  (['session', 'access', 'refresh', 'device'] as const).map(type => [typOf(type), type])
)
const ALGORITHM = 'EdDSA'
const ISSUER = 'sheaf'
const CLAIMS = ['iss', 'aud', 'sub', 'sid', 'cred', 'iat', 'exp']
const HEADER = ['alg', 'kid', 'typ']
const TOKEN_CHARACTERS_MAX = 1_024
const CREDENTIAL_CHARACTERS_MAX = 80
/** How far clocks of nodes may be apart. */
const TOLERANCE_S = 60

export interface TokenClaims {
  readonly type: TokenType
  readonly userId: UserId
  readonly sessionId: SessionId
  readonly credential: CredentialId
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

export interface IssuedToken {
  readonly text: string
  readonly expiresAtMs: number
}

export interface TokensComponents {
  /** The first one signs; the others verify, while keys are being changed. */
  readonly keys: readonly [TokenKey, ...TokenKey[]]
  readonly clock: Pick<Clock, 'now'>
}

/** Signs tokens, and verifies them by their signature and their dates. */
export class Tokens {
  readonly #signer: TokenKey
  readonly #keys: ReadonlyMap<unknown, TokenKey>
  readonly #clock: Pick<Clock, 'now'>
  readonly #audience: string

  constructor({ keys, clock }: TokensComponents, init: { readonly cluster: string }) {
    this.#signer = keys[0]
    this.#keys = new Map(keys.map(key => [key.tag, key]))
    this.#clock = clock
    this.#audience = init.cluster
  }

  /** Names the cluster's keys, that which signs first: a cookie is named by them. */
  get tags(): readonly string[] {
    return [...this.#keys.values()].map(({ tag }) => tag)
  }

  /** For others who want to verify. */
  async publicKeys(): Promise<JWK[]> {
    const keys = [...this.#keys.values()]
    return Promise.all(
      keys.map(async ({ tag, publicKey }) => ({
        ...(await exportJWK(publicKey)),
        kid: tag,
        alg: ALGORITHM,
        use: 'sig'
      }))
    )
  }

  /** @param untilMs - when what it stands for ends. Default: its type's life counts */
  async issue(
    type: TokenType,
    { userId, sessionId, credential }: Pick<TokenClaims, 'userId' | 'sessionId' | 'credential'>,
    untilMs = Number.MAX_SAFE_INTEGER
  ): Promise<IssuedToken> {
    const issuedAtS = Math.floor(this.#clock.now() / 1_000)
    const expiresAtS = Math.max(issuedAtS, Math.min(issuedAtS + LIFE_S[type], Math.floor(untilMs / 1_000)))
    const text = await new SignJWT({ sid: sessionId, cred: credential })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#signer.tag, typ: typOf(type) })
      .setIssuer(ISSUER)
      .setAudience(this.#audience)
      .setSubject(userId)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(expiresAtS)
      .sign(this.#signer.privateKey)
    return { text, expiresAtMs: expiresAtS * 1_000 }
  }

  /** @returns undefined for anything but a token of one of these types that is in force by its signature and dates */
  async verify(text: string, types: readonly TokenType[]): Promise<TokenClaims | undefined> {
    if (text.length > TOKEN_CHARACTERS_MAX) return undefined
    try {
      const header = decodeProtectedHeader(text)
      const type = TYPES.get(header.typ)
      const key = this.#keys.get(header.kid)
      if (type === undefined || key === undefined || !types.includes(type)) return undefined
      if (!sameNames(Object.keys(header), HEADER)) return undefined
      const { payload } = await jwtVerify(text, key.publicKey, {
        algorithms: [ALGORITHM],
        typ: typOf(type),
        issuer: ISSUER,
        audience: this.#audience,
        requiredClaims: CLAIMS,
        clockTolerance: TOLERANCE_S,
        maxTokenAge: LIFE_S[type],
        currentDate: new Date(this.#clock.now())
      })
      return this.#claimsIn(payload, type)
    } catch {
      return undefined // whatever is wrong with it, it says nobody's name
    }
  }

  #claimsIn(payload: JWTPayload, type: TokenType): TokenClaims | undefined {
    const { aud, sub = '', sid, cred, iat = 0, exp = 0 } = payload
    const userId = parseUserId(sub)
    const sessionId = typeof sid === 'string' ? parseSessionId(sid) : undefined
    if (userId === undefined || sessionId === undefined || userId !== sub || sessionId !== sid) return undefined
    if (typeof cred !== 'string' || cred.length > CREDENTIAL_CHARACTERS_MAX || aud !== this.#audience) return undefined
    // the library bounds how old a token is, and not how old it may become
    if (!sameNames(Object.keys(payload), CLAIMS) || exp < iat || exp - iat > LIFE_S[type]) return undefined
    return { type, userId, sessionId, credential: cred, issuedAtMs: iat * 1_000, expiresAtMs: exp * 1_000 }
  }
}

function typOf(type: TokenType): string {
  return `sheaf-${type}+jwt`
}

function sameNames(names: readonly string[], expected: readonly string[]): boolean {
  return names.length === expected.length && expected.every(name => names.includes(name))
}
