import { readFile } from 'node:fs/promises'
import type { Clock } from '../../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../../core/errors.js'
import { type Login, type Logins, originOf, parseToken } from './logins.js'
import type { NodeAddress } from './node-client.js'
import { readOperatorToken, type TokenSource } from './operator-token.js'

/** An access token that ends so soon is not worth sending. */
const FRESH_MS_MIN = 30_000
const WAY_OUT = '`sheaf login NAME`, or SHEAF_TOKEN or --api-key-file FILE'

/** `POST /v1/tokens` */
export interface TokensAnswer {
  readonly access_token: string
  /** Null: the one that was sent stays good. */
  readonly refresh_token: string | null
  readonly expires_at: string
}

/** Where the user says what to send. */
export interface CredentialSource extends TokenSource {
  /** `--api-key-file` */
  readonly apiKeyFile?: string
}

export interface CredentialsComponents {
  readonly clock: Clock
  readonly logins: Logins
  /** `POST /v1/tokens` with a refresh token. */
  readonly refresh: (refreshToken: string) => Promise<TokensAnswer>
}

/**
 * As whom a command asks one node: by a key or token that the user names, else by the log-in that is kept for that node, and
 * what only an operator may also by the operator's token. What is kept for one node is never sent to another.
 */
export class Credentials {
  readonly #components: CredentialsComponents
  readonly #node: NodeAddress
  readonly #source: CredentialSource
  readonly #origin: string
  /** Undefined: not looked for yet. */
  #named: Promise<string | undefined> | undefined
  #login: Promise<Login | undefined> | undefined

  constructor(components: CredentialsComponents, node: NodeAddress, source: CredentialSource) {
    this.#components = components
    this.#node = node
    this.#source = source
    this.#origin = originOf(node)
  }

  /**
   * @param isOperators - only an operator or administrator may do it
   * @returns what to send; undefined: nothing
   * @throws `ERR_USAGE` when something cannot be read or there is none and it is needed, what a node says of a log-in that ended
   */
  async token(isOperators: boolean): Promise<string | undefined> {
    const { data, tokenFile, environment } = this.#source
    // a command with these flags is one of an operator, with all that it asks
    const isFlagged = data !== undefined || tokenFile !== undefined
    if (isFlagged || (isOperators && environment.SHEAF_TOKEN_FILE)) return readOperatorToken(this.#node, this.#source)
    const token = (await this.#namedToken()) ?? (await this.keptToken())
    return token === undefined && isOperators ? readOperatorToken(this.#node, this.#source) : token
  }

  /** @returns that of who is logged in. @throws as `token` */
  async keptToken(): Promise<string | undefined> {
    const login = await this.kept()
    if (login === undefined) return undefined
    const leftMs = Date.parse(login.expiresAt) - this.#components.clock.now()
    return (leftMs >= FRESH_MS_MIN ? login : await this.#renewOnce(login))?.accessToken
  }

  /**
   * @param refused - a node has refused it as one that is not in force
   * @returns what to send instead; undefined: there is nothing else
   * @throws what a node says of a log-in that ended
   */
  async instead(refused: string): Promise<string | undefined> {
    const login = await this.#login
    if (login?.accessToken !== refused) return undefined
    return (await this.#renewOnce(login))?.accessToken
  }

  /** @returns what to do about a refusal for want of an account */
  async wayOut(refused: string | undefined): Promise<string> {
    if (refused === undefined || refused === (await this.#login)?.accessToken) return WAY_OUT
    return 'what SHEAF_TOKEN, --api-key-file, --data or --token-file gives is not in force'
  }

  /** The log-in that is kept for this node. @throws `ERR_USAGE` */
  kept(): Promise<Login | undefined> {
    this.#login ??= this.#components.logins.get(this.#origin)
    return this.#login
  }

  /** Sends it from now on, and keeps it for later commands. @throws `ERR_USAGE` */
  async keep(login: Login): Promise<void> {
    await this.#components.logins.keep(this.#origin, login)
    this.#login = Promise.resolve(login)
  }

  /** @throws `ERR_USAGE` */
  async forget(): Promise<void> {
    await this.#components.logins.forget(this.#origin)
    this.#login = Promise.resolve(undefined)
  }

  #namedToken(): Promise<string | undefined> {
    this.#named ??= readNamedToken(this.#source)
    return this.#named
  }

  /** One renewal for all requests that find the same token ended. */
  #renewOnce(ended: Login): Promise<Login | undefined> {
    const renewal = this.kept().then(current => (current === ended ? this.#renew(ended) : current))
    this.#login = renewal
    // the node may have been out of reach, so the next request tries again
    renewal.catch(() => {
      if (this.#login === renewal) this.#login = undefined
    })
    return renewal
  }

  async #renew(login: Login): Promise<Login | undefined> {
    const { logins, refresh } = this.#components
    let answer: TokensAnswer
    try {
      answer = await refresh(login.refreshToken)
    } catch (err) {
      if (hasCode(err, 'ERR_NO_ACCOUNTS')) return undefined // so nobody asks for one
      if (!hasCode(err, 'ERR_UNAUTHENTICATED') && !hasCode(err, 'ERR_SESSION_ENDED')) throw err
      const { code } = err
      throw new SheafError(code, `the log-in of ${login.name} has ended: \`sheaf login\` again`, { cause: err })
    }
    const renewed = loginFrom(login.name, answer, login.refreshToken)
    // this command goes on all the same where the home folder cannot be written
    await logins.renew(this.#origin, renewed).catch(() => {})
    return renewed
  }
}

/** @throws `ERR_NODE_UNREACHABLE` for an answer that no node gives */
export function loginFrom(
  name: string,
  answer: TokensAnswer,
  refreshToken: string | null = answer.refresh_token
): Login {
  const login = {
    name,
    accessToken: parseToken(answer.access_token),
    refreshToken: parseToken(refreshToken),
    expiresAt: answer.expires_at
  }
  const { accessToken, refreshToken: refresh, expiresAt } = login
  if (accessToken === undefined || refresh === undefined || Number.isNaN(Date.parse(expiresAt)))
    throw new SheafError('ERR_NODE_UNREACHABLE', 'the answer to a log-in is not as a Sheaf node gives it; check --node')
  return { name, accessToken, refreshToken: refresh, expiresAt }
}

async function readNamedToken({ apiKeyFile, environment }: CredentialSource): Promise<string | undefined> {
  const fromEnvironment = environment.SHEAF_TOKEN || undefined
  if (apiKeyFile === undefined && fromEnvironment === undefined) return undefined
  const where = apiKeyFile === undefined ? 'SHEAF_TOKEN' : `--api-key-file ${apiKeyFile}`
  const text = apiKeyFile === undefined ? fromEnvironment : await readKeyFile(apiKeyFile)
  const token = parseToken(text?.trim())
  if (token !== undefined) return token
  throw new SheafError('ERR_USAGE', `${where} holds neither an API key nor a token: \`sheaf key create\` prints a key`)
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const reason = systemErrorCode(cause) ?? String(cause)
    throw new SheafError('ERR_USAGE', `--api-key-file ${path} cannot be read (${reason})`, { cause })
  }
}
