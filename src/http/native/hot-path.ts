import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../../domain/principal.js'
import { rightsOf } from '../../domain/rights.js'
import type { ContentHead, HotContent } from '../../photos/photo-types.js'
import type { Photos } from '../../photos/photos.js'
import type { HostGuard } from '../wire/host-guard.js'
import type { Principals } from '../wire/principals.js'
import { REQUEST_ID_HEADER, type RequestIds } from '../wire/request-ids.js'
import { contentHeaders } from './content-headers.js'

const PREFIX = '/photo/'
const URL_CHARACTERS = PREFIX.length + 36
/** Headers that affect the answer or access to it: a request with any of them takes the normal path. */
const COLD_HEADERS = new Set([
  'authorization',
  'content-length',
  'expect',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'range',
  'transfer-encoding',
  'x-forwarded-host'
])

/** What a browser says of a request that no page of another site has made. */
const OWN_SITES = new Set(['same-origin', 'none'])

/**
 * Answers the most frequent request, `GET /photo/{id}` of a recently read photo by somebody who has just been here, straight from memory: no router, no
 * promise, no header object, and a pooled buffer that is released when the socket has taken it. Leaves all other requests
 * to the normal path.
 */
export class HotPath {
  readonly #photosOf: (principal: Principal) => Pick<Photos, 'openHot'>
  readonly #guard: HostGuard
  readonly #ids: RequestIds
  readonly #principals: Pick<Principals, 'needAccount' | 'rememberedOf'>
  readonly #headers = new WeakMap<ContentHead, string[]>()

  constructor(components: {
    /** @returns what is open to that one */
    readonly photosOf: (principal: Principal) => Pick<Photos, 'openHot'>
    readonly guard: HostGuard
    readonly ids: RequestIds
    readonly principals: Pick<Principals, 'needAccount' | 'rememberedOf'>
  }) {
    this.#photosOf = components.photosOf
    this.#guard = components.guard
    this.#ids = components.ids
    this.#principals = components.principals
  }

  /** @returns whether it answered the request */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '' } = request
    if (request.method !== 'GET' || url.length !== URL_CHARACTERS || !url.startsWith(PREFIX)) return false
    // The response of a pipelined request has no socket until the one before is answered, and would miss its close.
    if (response.socket === null || !this.#isPlain(request)) return false
    const reader = this.#readerOf(request)
    const content = reader && this.#photosOf(reader).openHot(url.slice(PREFIX.length))
    if (content === undefined) return false
    const { lease } = content
    response.once('close', () => lease.release())
    response.writeHead(200, [...this.#headersOf(content), REQUEST_ID_HEADER, this.#ids.of(request.rawHeaders)])
    response.end(lease.data)
    return true
  }

  /** @returns undefined: somebody who is not known yet, or may not read */
  #readerOf(request: IncomingMessage): Principal | undefined {
    const principal = this.#principals.rememberedOf(request)
    return principal && rightsOf(principal, this.#principals.needAccount).has('read') ? principal : undefined
  }

  #isPlain({ rawHeaders }: IncomingMessage): boolean {
    let hosts = 0
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = (rawHeaders[i] as string).toLowerCase()
      if (name === 'host') {
        hosts++
        if (!this.#guard.allowsHost(rawHeaders[i + 1] as string)) return false
      } else if (name === 'sec-fetch-site') {
        if (!OWN_SITES.has(rawHeaders[i + 1] as string)) return false
      } else if (COLD_HEADERS.has(name)) return false
    }
    return hosts === 1
  }

  #headersOf({ head, source }: HotContent): string[] {
    let headers = this.#headers.get(head)
    if (headers === undefined) {
      headers = [...contentHeaders(head, source), 'Content-Length', String(head.size)]
      this.#headers.set(head, headers)
    }
    return headers
  }
}
