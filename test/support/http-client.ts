import { createHash } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** The part of a photo's metadata that tests look at. */
export interface PhotoMeta {
  readonly photo_id: string
  readonly name: string
  readonly content_type: string
  readonly size: number
  readonly sha256: string
  readonly tags: readonly string[]
  readonly albums: readonly string[]
  readonly caption?: string | null
}

export interface UploadReceipt {
  readonly photo_id: string
  readonly logical_volume: string
  readonly cookie: string
  readonly size: number
  readonly sha256: string
  readonly content_type: string
  readonly copies: number
}

export interface PhotoPage {
  readonly photos: readonly PhotoMeta[]
  readonly total: number
  readonly next_cursor: string | null
}

export interface MetaPatch {
  readonly name?: string
  readonly caption?: string
  readonly rating?: number
  readonly taken_at?: string
  readonly favourite?: boolean
  readonly archived?: boolean
  readonly tags?: { readonly add?: readonly string[]; readonly remove?: readonly string[] }
  readonly albums?: { readonly add?: readonly string[]; readonly remove?: readonly string[] }
  readonly attributes?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** The request got no complete answer: it may or may not have been carried out, unless it never reached the node. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  /** False when the connection was refused, so that the node cannot have seen the request. */
  readonly maybeApplied: boolean

  constructor(request: string, cause: Error) {
    super(`${request}: no answer: ${cause.message}`, { cause })
    this.maybeApplied = !('code' in cause && cause.code === 'ECONNREFUSED')
  }
}

/** An answer that the test did not expect. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer'
  readonly answer: Answer

  constructor(what: string, answer: Answer) {
    super(`${what}: ${answer.status} ${answer.body.subarray(0, 500).toString()}`)
    this.answer = answer
  }
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** A stream needs `byteCount`, or it is sent chunked. */
  readonly body?: Uint8Array | Readable
  readonly byteCount?: number
}

export interface FormPart {
  readonly name: string
  readonly value: string | Uint8Array
  readonly filename?: string
  readonly contentType?: string
}

export interface HttpClientInit {
  readonly socketCountMax?: number
  readonly timeoutMs?: number
  /** Goes along with every request that has none of its own. */
  readonly credential?: string | undefined
  /** Goes along with every request below /v1/admin. */
  readonly operatorToken?: string | undefined
}

/** A client of one node over kept-alive connections, as thin as can be: it returns what the node answered. */
export class HttpClient {
  readonly #base: URL
  readonly #agent: Agent
  readonly #timeoutMs: number
  readonly #credential: string | undefined
  readonly #operatorToken: string | undefined

  constructor(url: string, init: HttpClientInit = {}) {
    this.#base = new URL(url)
    this.#agent = new Agent({ keepAlive: true, maxSockets: init.socketCountMax ?? 64 })
    this.#timeoutMs = init.timeoutMs ?? 60_000
    this.#credential = init.credential
    this.#operatorToken = init.operatorToken
  }

  close(): void {
    this.#agent.destroy()
  }

  /** @throws {@link NoAnswer} when no complete answer came within the deadline */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const response = await this.open(method, path, options)
    try {
      const pieces: Buffer[] = []
      for await (const piece of response) pieces.push(piece as Buffer)
      return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }
    } catch (err) {
      throw new NoAnswer(`${method} ${path}`, err as Error)
    }
  }

  /** @returns the answer's head; the caller reads or destroys the body. @throws {@link NoAnswer} */
  open(method: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const { body } = options
    const isAdmin = this.#operatorToken !== undefined && path.startsWith('/v1/admin/')
    const byteCount = options.byteCount ?? (body instanceof Uint8Array ? body.length : undefined)
    return new Promise((resolve, reject) => {
      const fail = (err: Error): void => reject(new NoAnswer(`${method} ${path}`, err))
      const request = httpRequest(new URL(path, this.#base), {
        method,
        agent: this.#agent,
        headers: {
          ...(this.#credential !== undefined && { authorization: `Bearer ${this.#credential}` }),
          ...(isAdmin && { authorization: `Bearer ${this.#operatorToken}` }),
          ...options.headers,
          ...(byteCount === undefined ? {} : { 'content-length': String(byteCount) })
        }
      })
      request.setTimeout(this.#timeoutMs, () => request.destroy(new Error(`silent for ${this.#timeoutMs} ms`)))
      request.on('response', resolve)
      request.on('error', fail)
      if (body instanceof Readable) pipeline(body, request).catch(fail)
      else request.end(body)
    })
  }

  async json<Shape>(method: string, path: string, status: number, options: RequestOptions = {}): Promise<Shape> {
    const answer = await this.request(method, path, options)
    if (answer.status !== status) throw new UnexpectedAnswer(`${method} ${path}`, answer)
    return JSON.parse(answer.body.toString()) as Shape
  }

  put(
    body: Uint8Array | Readable,
    init: { filename: string; contentType?: string; byteCount?: number; idempotencyKey?: string }
  ): Promise<Answer> {
    return this.request('PUT', `/v1/photos?filename=${encodeURIComponent(init.filename)}`, {
      body,
      headers: {
        'content-type': init.contentType ?? 'application/octet-stream',
        ...(init.idempotencyKey === undefined ? {} : { 'idempotency-key': init.idempotencyKey })
      },
      ...(init.byteCount === undefined ? {} : { byteCount: init.byteCount })
    })
  }

  /** Uploads a photo that must succeed. @throws {@link UnexpectedAnswer} */
  async putPhoto(bytes: Uint8Array, filename: string, contentType = 'image/jpeg'): Promise<UploadReceipt> {
    const answer = await this.put(bytes, { filename, contentType })
    if (answer.status !== 201) throw new UnexpectedAnswer(`PUT ${filename}`, answer)
    return JSON.parse(answer.body.toString()) as UploadReceipt
  }

  form(path: string, parts: readonly FormPart[], headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { body, contentType } = encodeForm(parts)
    return this.request('POST', path, { body, headers: { ...headers, 'content-type': contentType } })
  }

  photo(id: string, headers: Readonly<Record<string, string>> = {}, query = ''): Promise<Answer> {
    return this.request('GET', `/photo/${id}${query}`, { headers })
  }

  /** Streams a photo's bytes through a hash. */
  async photoDigest(id: string): Promise<{ status: number; byteCount: number; sha256: string }> {
    const response = await this.open('GET', `/photo/${id}`)
    const digest = createHash('sha256')
    let byteCount = 0
    for await (const piece of response) {
      byteCount += (piece as Buffer).length
      digest.update(piece as Buffer)
    }
    return { status: response.statusCode ?? 0, byteCount, sha256: digest.digest('hex') }
  }

  meta(id: string): Promise<Answer> {
    return this.request('GET', `/photo/${id}/meta`)
  }

  patchMeta(id: string, patch: MetaPatch, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const body = Buffer.from(JSON.stringify(patch))
    return this.request('PATCH', `/photo/${id}/meta`, {
      body,
      headers: { ...headers, 'content-type': 'application/json' }
    })
  }

  remove(id: string): Promise<Answer> {
    return this.request('DELETE', `/photo/${id}`)
  }

  undelete(id: string): Promise<Answer> {
    return this.request('POST', `/photo/${id}/undelete`)
  }

  page(query = ''): Promise<PhotoPage> {
    return this.json('GET', `/photos${query}`, 200)
  }

  /** Lists all that `filter` (e.g. `tag=red`) lets through, page by page. */
  async list(filter = '', limit = 1_000): Promise<{ photos: PhotoMeta[]; total: number }> {
    const photos: PhotoMeta[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const paging = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = await this.page(`?limit=${limit}${filter === '' ? '' : `&${filter}`}${paging}`)
      photos.push(...page.photos)
      cursor = page.next_cursor
      if (cursor === null) return { photos, total: page.total }
    }
    throw new Error('unreachable: the loop ends at the last page')
  }

  async fullDump(): Promise<PhotoMeta[]> {
    const answer = await this.request('GET', '/sync/full-dump')
    if (answer.status !== 200) throw new UnexpectedAnswer('GET /sync/full-dump', answer)
    const lines = answer.body.toString().split('\n')
    return lines.filter(line => line !== '').map(line => JSON.parse(line) as PhotoMeta)
  }
}

/** @returns a multipart/form-data body with a boundary that is not in it */
export function encodeForm(parts: readonly FormPart[]): { readonly body: Buffer; readonly contentType: string } {
  const boundary = 'sheaf-test-boundary-7d1f0c52'
  const pieces = parts.flatMap(part => {
    const filename = part.filename === undefined ? '' : `; filename="${part.filename}"`
    const type = part.contentType === undefined ? '' : `Content-Type: ${part.contentType}\r\n`
    return [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"${filename}\r\n${type}\r\n`),
      Buffer.from(part.value),
      Buffer.from('\r\n')
    ]
  })
  const body = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
  return { body, contentType: `multipart/form-data; boundary=${boundary}` }
}
