import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { SheafError } from '../../core/errors.js'
import type { OpenedLink } from '../../domain/audience.js'
import type { LinkPrincipal, Principal, UserPrincipal } from '../../domain/principal.js'
import type { Forwarded } from './forwarded.js'
import type { SessionCookie } from './session-cookie.js'

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What tells who a token or a key is of. */
export interface Authenticator {
  /** Whether requests need an account now. */
  readonly isRequired: boolean
  authenticate(
    text: string,
    address: string
  ): Promise<{ readonly principal: UserPrincipal; readonly expiresAtMs: number }>
  /** @returns the same as far as it is known at once */
  remembered(text: string): { readonly principal: UserPrincipal } | undefined
}

/** Who sends a request, and by what. */
export interface Asker {
  readonly principal: Principal
  /** The token of a session that a browser sent by itself, and when it ends. */
  readonly cookie?: { readonly token: string; readonly expiresAtMs: number }
  /** What somebody who has an account has opened beside. */
  readonly links?: readonly OpenedLink[]
}

/** Tells which share links a request comes by. */
export type GuestIn = (head: Pick<IncomingMessage, 'headers' | 'socket'>) => LinkPrincipal | undefined

type Head = Pick<IncomingMessage, 'headers' | 'method' | 'socket'>

const ANONYMOUS: Asker = { principal: { kind: 'anonymous' } }
const OPERATOR: Asker = { principal: { kind: 'operator' } }

/** Tells by its headers who sends a request. */
export class Principals {
  readonly #operator: Buffer
  readonly #forwarded: Forwarded
  readonly #accounts: Authenticator | undefined
  readonly #cookie: SessionCookie | undefined
  readonly #guestIn: GuestIn

  /** @param init.operatorToken - see `core/operator-token.ts` */
  constructor(
    components: {
      readonly forwarded: Forwarded
      readonly accounts?: Authenticator | undefined
      readonly cookie?: SessionCookie | undefined
      /** Default: by none. */
      readonly guestIn?: GuestIn | undefined
    },
    init: { readonly operatorToken: string }
  ) {
    this.#operator = digestOf(init.operatorToken)
    this.#forwarded = components.forwarded
    this.#accounts = components.accounts
    this.#cookie = components.cookie
    this.#guestIn = components.guestIn ?? (() => undefined)
  }

  /** Whether requests need an account now. */
  get needAccount(): boolean {
    return this.#accounts?.isRequired === true
  }

  /**
   * While no accounts are needed, only the operator's token counts, and anything else names nobody.
   *
   * @throws `ERR_BAD_PARAMETER` for two credentials, `ERR_FOREIGN_ORIGIN`, what the accounts throw for what is not in force
   */
  async of(head: Head): Promise<Asker> {
    const { authorization } = head.headers
    const bearer = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1]
    if (bearer !== undefined && this.#isOperators(bearer)) return OPERATOR
    const accounts = this.#accounts
    if (accounts?.isRequired !== true) return ANONYMOUS
    const { address, isSecure } = this.#forwarded.senderOf(head)
    const cookies = this.#cookie?.read(head.headers.cookie, isSecure) ?? []
    if (bearer !== undefined) {
      if (cookies.length > 0)
        throw new SheafError('ERR_BAD_PARAMETER', 'send a token or the cookie of a session, not both')
      return { principal: (await accounts.authenticate(bearer, address ?? '')).principal }
    }
    const [token, ...others] = cookies
    const guest = this.#guestIn(head)
    if (token === undefined) {
      if (guest === undefined) return ANONYMOUS
      requireOwnPage(head)
      return { principal: guest }
    }
    if (others.length > 0)
      throw new SheafError('ERR_UNAUTHENTICATED', 'there are two sessions: somebody else has set one; log in again')
    requireOwnPage(head)
    const { principal, expiresAtMs } = await accounts.authenticate(token, address ?? '')
    return { principal, cookie: { token, expiresAtMs }, ...(guest !== undefined && { links: guest.links }) }
  }

  /**
   * For paths where the token stands elsewhere: its headers say nothing there.
   *
   * @throws what the accounts throw for what is not in force
   */
  async ofToken(token: string, head: Head): Promise<Asker> {
    const accounts = this.#accounts
    if (accounts?.isRequired !== true) return ANONYMOUS
    const { address } = this.#forwarded.senderOf(head)
    return { principal: (await accounts.authenticate(token, address ?? '')).principal }
  }

  /**
   * @param head - of a request without Authorization
   * @returns who sends it, as far as that is known at once; undefined: ask {@link of}
   */
  rememberedOf(head: Head): Principal | undefined {
    const accounts = this.#accounts
    if (accounts?.isRequired !== true) return ANONYMOUS.principal
    const tokens = this.#cookie?.read(head.headers.cookie, this.#forwarded.senderOf(head).isSecure) ?? []
    return tokens.length === 1 ? accounts.remembered(tokens[0] as string)?.principal : undefined
  }

  /** The comparison takes the same time whatever was sent. */
  #isOperators(token: string): boolean {
    return timingSafeEqual(digestOf(token), this.#operator)
  }
}

/**
 * A browser sends the cookie along whoever has made the request. That another origin did not, the host guard has seen where
 * the browser says it; here it has to.
 *
 * @throws `ERR_FOREIGN_ORIGIN`
 */
function requireOwnPage({ method = '', headers }: Head): void {
  if (SAFE_METHODS.has(method) || headers.origin !== undefined || headers['sec-fetch-site'] === 'same-origin') return
  throw new SheafError(
    'ERR_FOREIGN_ORIGIN',
    'a request with the cookie of a session, or of a link, has to say which page it is from (Origin); programs send a token instead'
  )
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}
