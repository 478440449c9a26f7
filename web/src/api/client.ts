import type { components, paths } from './openapi-types.js'

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never
}[keyof paths]
type Json<R> = R extends { readonly content: { readonly 'application/json': infer T } } ? T : never
type Successes<R> = Json<R[keyof R & (200 | 201 | 202)]>
/** What an operation answers when it succeeds. */
export type Answer<P extends keyof paths, M extends Method = 'get'> =
  paths[P] extends Record<M, { readonly responses: infer R }> ? Successes<R> : never
type BodyOf<P extends keyof paths, M extends Method> =
  paths[P] extends Record<M, { readonly requestBody?: infer B }>
    ? NonNullable<B> extends { readonly content: { readonly 'application/json': infer T } }
      ? T
      : undefined
    : undefined

type Named = components['schemas']
export type Meta = Named['PhotoDetails']
export type Bucket = Named['Bucket']
export type Columns = Named['BucketPhotos']
export type Album = Named['Album']
export type TrashedPhoto = Named['TrashedPhoto']
export type Cluster = Answer<'/cluster'>
export type Member = Named['Member']
export type Status = Answer<'/status'>
export type Job = Named['JobState']
export type RecentEvent = Named['Event']
export type SessionAnswer = Named['Session']
export type UserAccount = Answer<'/v1/users'>['users'][number]
export type ApiKey = Answer<'/v1/keys'>['keys'][number]

export interface Ask {
  /** For the braces of the path. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: URLSearchParams | Readonly<Record<string, string | number>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** It goes on when the page is left; then nobody hears of the answer. For bodies below 64 KB. */
  readonly keepalive?: boolean
}

/** The node has answered with an error, or not at all: then `code` is `ERR_NODE_UNREACHABLE`. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  readonly status: number
  /** For people, by the node; in English. */
  readonly detail: string
  /** When to try again, s. */
  readonly retryAfterS: number | undefined

  constructor(code: string, status: number, detail: string, retryAfterS?: number) {
    super(`${code}: ${detail}`)
    this.code = code
    this.status = status
    this.detail = detail
    this.retryAfterS = retryAfterS
  }
}

export const UNREACHABLE = 'ERR_NODE_UNREACHABLE'

/** Whether somebody who may ask is logged in. */
export interface Gate {
  readonly isShut: () => boolean
  /** The node has said so. */
  readonly shut: () => void
}

/** Everybody's, also through a shut gate. */
const FOR_ALL: ReadonlySet<string> = new Set(['/session', '/v1/signup', '/v1/links/open'])
const SHUTTING: ReadonlySet<string> = new Set(['ERR_UNAUTHENTICATED', 'ERR_SESSION_ENDED', 'ERR_ACCOUNT_DISABLED'])
const NO_GATE: Gate = { isShut: () => false, shut: () => {} }

/** What asks, although the question has a body. */
const READS: ReadonlySet<string> = new Set(['/v1/photos/exists', '/v1/photos/lookup'])

/** The interface of the node that the page came from, with the types of its own document. */
export class Api {
  readonly #fetch: typeof fetch
  /** Whether the node has answered the last request. */
  readonly #onReach: (isReached: boolean) => void
  readonly #isLost: () => boolean
  readonly #gate: Gate

  /**
   * @param isLost - then nothing is changed: an answer that is not there would leave open whether it was
   * @param gate - while it is shut, nothing is asked but the session
   */
  constructor(fetcher: typeof fetch, onReach: (isReached: boolean) => void, isLost: () => boolean, gate = NO_GATE) {
    this.#fetch = fetcher
    this.#onReach = onReach
    this.#isLost = isLost
    this.#gate = gate
  }

  async get<P extends PathsWith<'get'>>(path: P, ask: Ask = {}): Promise<Answer<P>> {
    const { body } = await this.#json('GET', path, ask)
    return body as Answer<P>
  }

  /** The answer with its ETag, for edits that have to meet the same. */
  async getTagged<P extends PathsWith<'get'>>(path: P, ask: Ask = {}): Promise<{ body: Answer<P>; etag: string }> {
    const { body, etag } = await this.#json('GET', path, ask)
    return { body: body as Answer<P>, etag }
  }

  async post<P extends PathsWith<'post'>>(path: P, body: BodyOf<P, 'post'>, ask: Ask = {}): Promise<Answer<P, 'post'>> {
    return (await this.#json('POST', path, ask, body)).body as Answer<P, 'post'>
  }

  async put<P extends PathsWith<'put'>>(path: P, body: BodyOf<P, 'put'>, ask: Ask = {}): Promise<Answer<P, 'put'>> {
    return (await this.#json('PUT', path, ask, body)).body as Answer<P, 'put'>
  }

  async patch<P extends PathsWith<'patch'>>(
    path: P,
    body: BodyOf<P, 'patch'>,
    ask: Ask = {}
  ): Promise<{ body: Answer<P, 'patch'>; etag: string }> {
    const answer = await this.#json('PATCH', path, ask, body)
    return { body: answer.body as Answer<P, 'patch'>, etag: answer.etag }
  }

  async delete<P extends PathsWith<'delete'>>(path: P, ask: Ask = {}): Promise<Answer<P, 'delete'>> {
    return (await this.#json('DELETE', path, ask)).body as Answer<P, 'delete'>
  }

  async #json(method: string, path: string, ask: Ask, body?: unknown): Promise<{ body: unknown; etag: string }> {
    const { signal = null, keepalive = false } = ask
    const isForAll = FOR_ALL.has(path)
    if (!isForAll && this.#gate.isShut()) throw new ApiError('ERR_UNAUTHENTICATED', 401, 'somebody has to log in first')
    if (method !== 'GET' && !READS.has(path) && this.#isLost())
      throw new ApiError(UNREACHABLE, 0, 'the node does not answer')
    const init: RequestInit = { method, signal, keepalive, headers: { ...ask.headers } }
    if (body !== undefined) {
      init.headers = { ...ask.headers, 'content-type': 'application/json' }
      init.body = JSON.stringify(body)
    }
    let response: Response
    try {
      response = await this.#fetch(addressOf(path, ask), init)
    } catch (error) {
      if (signal?.aborted === true) throw error
      this.#onReach(false)
      throw new ApiError(UNREACHABLE, 0, 'the node does not answer')
    }
    this.#onReach(true)
    if (!response.ok) {
      const problem = problemOf(response.status, response.headers.get('retry-after'), await response.text())
      if (!isForAll && endsSession(problem)) this.#gate.shut()
      throw problem
    }
    return {
      body: response.status === 204 ? undefined : await response.json(),
      etag: response.headers.get('etag') ?? ''
    }
  }
}

/** Whether somebody has to log in before it can succeed. */
export function endsSession({ code }: Pick<ApiError, 'code'>): boolean {
  return SHUTTING.has(code)
}

/** @param text - the body of the answer, a problem as a rule */
export function problemOf(status: number, retryAfter: string | null, text: string): ApiError {
  const retryAfterS = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined
  try {
    const { code, detail } = JSON.parse(text) as { readonly code?: unknown; readonly detail?: unknown }
    if (typeof code === 'string') return new ApiError(code, status, String(detail ?? ''), retryAfterS)
  } catch {
    // a proxy has answered
  }
  return new ApiError('ERR_INTERNAL', status, `status ${status}`, retryAfterS)
}

function addressOf(path: string, { params = {}, query = {} }: Ask): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search =
    query instanceof URLSearchParams
      ? query.toString()
      : new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString()
  return search === '' ? filled : `${filled}?${search}`
}
