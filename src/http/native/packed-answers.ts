import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ConcurrencyLimit } from '../../core/concurrency-limit.js'
import { acceptsCoding } from '../wire/codings.js'

/** Lists and what is as long as one. None of them holds a secret: the length of what is packed tells of what is in it. */
const PACKED: ReadonlySet<string> = new Set([
  '/albums',
  '/cluster',
  '/duplicates',
  '/events/recent',
  '/openapi.json',
  '/photos',
  '/photos/timeline',
  '/photos/timeline/:key',
  '/search',
  '/similar/:id',
  '/stats',
  '/tags',
  '/trash',
  '/v1/admin/jobs',
  '/v1/albums',
  '/v1/photos/exists',
  '/v1/photos/lookup',
  '/volumes'
])
/** Less than a packet is not worth it. */
const BYTES_MIN = 1_024
/** Of the four threads of the pool; files need the others. */
const THREADS = 2
/** Further answers are sent as they are. */
const WAITING_MAX = 64

type Coding = 'br' | 'gzip'
const PACK: Readonly<Record<Coding, (bytes: Buffer) => Promise<Buffer>>> = {
  br: bytes => brotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: bytes => gzipped(bytes, { level: 6 })
}
const brotli = promisify(brotliCompress)
const gzipped = promisify(gzip)

/**
 * Packs long answers in JSON for clients that take it, in threads. In two steps, so that between them a condition is held
 * against the ETag of what would be sent, and nothing is packed for a 304.
 */
export class PackedAnswers {
  readonly #limit = new ConcurrencyLimit({
    countMax: THREADS,
    bytesMax: Number.MAX_SAFE_INTEGER,
    waitingMax: WAITING_MAX
  })

  /** To be called before conditions are. */
  addChoice(app: FastifyInstance): void {
    app.addHook('onSend', async (request, reply, payload) => {
      if (!isPackable(request)) return payload
      reply.header('vary', 'accept-encoding')
      const coding = codingOf(request)
      if (coding === undefined || reply.statusCode !== 200 || !isLong(payload)) return payload
      reply.header('content-encoding', coding)
      const etag = reply.getHeader('etag')?.toString()
      // strong, so another one for each coding
      if (etag !== undefined) reply.header('etag', etag.replace(/"$/, `-${coding}"`))
      return payload
    })
  }

  /** To be called after conditions. */
  addPacking(app: FastifyInstance): void {
    app.addHook('onSend', async (request, reply, payload) => {
      const coding = reply.getHeader('content-encoding')
      if (!isPackable(request) || (coding !== 'br' && coding !== 'gzip')) return payload
      const packed = typeof payload === 'string' && reply.statusCode === 200 && (await this.#pack(payload, coding))
      if (packed instanceof Buffer) return packed
      reply.removeHeader('content-encoding')
      if (reply.statusCode === 200) dropSuffix(reply, coding)
      return payload
    })
  }

  /** @returns undefined when too much is to be packed already */
  async #pack(text: string, coding: Coding): Promise<Buffer | undefined> {
    let leave: () => void
    try {
      leave = await this.#limit.enter(0)
    } catch {
      return undefined
    }
    try {
      return await PACK[coding](Buffer.from(text))
    } finally {
      leave()
    }
  }
}

function isPackable({ method, routeOptions: { url } }: FastifyRequest): boolean {
  return url !== undefined && PACKED.has(url) && method !== 'HEAD'
}

function codingOf({ headers }: FastifyRequest): Coding | undefined {
  const accepted = headers['accept-encoding']?.toString() ?? ''
  return (['br', 'gzip'] as const).find(coding => acceptsCoding(accepted, coding))
}

function isLong(payload: unknown): payload is string {
  return typeof payload === 'string' && (payload.length >= BYTES_MIN || Buffer.byteLength(payload) >= BYTES_MIN)
}

function dropSuffix(reply: FastifyReply, coding: Coding): void {
  const etag = reply.getHeader('etag')?.toString()
  if (etag !== undefined) reply.header('etag', etag.replace(`-${coding}"`, '"'))
}
