import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { Cookie } from '../../../domain/ids.js'
import { parseCookie } from '../../../domain/ids.js'
import type { Content } from '../../../photos/photo-types.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { Preconditions } from '../../wire/preconditions.js'
import { type ByteRange, parseRange } from '../../wire/range.js'
import { contentHeaders } from '../content-headers.js'
import { logCutOff, type RouteContext, requireAltKey, requirePhotoId } from '../route-context.js'
import { getContentSchema } from '../schemas/photo-schemas.js'

interface ContentQuery {
  readonly alt_key?: string
  readonly part?: 'motion'
  readonly cookie?: string
  readonly v?: string
}

/** `GET|HEAD /photo/{id}`: the bytes, whole or a range. */
export function addPhotoContentRoute(app: FastifyInstance, context: RouteContext): void {
  app.route<{ Params: { id: string }; Querystring: ContentQuery }>({
    method: ['GET', 'HEAD'],
    url: '/photo/:id',
    exposeHeadRoute: false,
    schema: getContentSchema,
    handler: async (request, reply) => {
      const id = requirePhotoId(request.params.id)
      const { alt_key, part, cookie } = request.query
      const alt = requireAltKey(alt_key)
      if (part !== undefined && alt !== 'orig')
        throw new SheafError('ERR_NOT_FOUND', 'there is no movie in a smaller size; leave alt_key or part out')
      const { photos } = context.seenBy(request)
      const content =
        part === undefined
          ? await photos.open(id, alt, cookieOf(cookie))
          : await photos.openMotion(id, cookieOf(cookie))
      await sendContent(context, content, request, reply, request.query.v)
    }
  })
}

/** Answers with bytes, whole or a range. @param version - how their SHA-256 begins, if the client knows it */
export async function sendContent(
  context: Pick<RouteContext, 'log'>,
  content: Content,
  request: FastifyRequest,
  reply: FastifyReply,
  version?: string
): Promise<void> {
  const answer = decide(content, version, request.method, request.headers)
  const { raw: response } = reply
  const writeHead = (): void => {
    reply.hijack()
    response.strictContentLength = true
    response.writeHead(answer.status, answer.headers)
  }
  if (answer.range === undefined) {
    writeHead()
    response.end()
    return
  }
  const { start, end } = answer.range
  const onCut = (error: unknown): void => logCutOff(context, error, response)
  await streamAnswer(content.stream(start, end), { response, socket: request.raw.socket, writeHead, onCut })
}

interface Answer {
  readonly status: 200 | 206 | 304
  readonly headers: string[]
  /** The bytes to send; undefined: no body. */
  readonly range: ByteRange | undefined
}

/** Conditions first, then the range (RFC 9110, section 13.2.2). */
function decide(content: Content, version: string | undefined, method: string, headers: IncomingHttpHeaders): Answer {
  const { head } = content
  const common = contentHeaders(head, content.source, version)
  const isUnchanged = new Preconditions(method, headers).check(head)
  if (isUnchanged) return { status: 304, headers: common, range: undefined }
  const range = rangeOf(content, method, headers)
  if (range === undefined) {
    common.push('Content-Length', String(head.size))
    return { status: 200, headers: common, range: method === 'HEAD' ? undefined : { start: 0, end: head.size } }
  }
  common.push('Content-Range', `bytes ${range.start}-${range.end - 1}/${head.size}`)
  common.push('Content-Length', String(range.end - range.start))
  return { status: 206, headers: common, range }
}

/** @throws `ERR_RANGE_NOT_SATISFIABLE` with the size in its details */
function rangeOf({ head }: Content, method: string, headers: IncomingHttpHeaders): ByteRange | undefined {
  // Range is defined for GET only (RFC 9110, section 14.2).
  if (headers.range === undefined || method !== 'GET') return undefined
  const ifRange = headers['if-range']
  if (ifRange !== undefined && ifRange !== head.etag && ifRange !== new Date(head.lastModifiedMs).toUTCString()) {
    return undefined
  }
  const range = parseRange(headers.range, head.size)
  if (range === 'unsatisfiable') {
    throw new SheafError('ERR_RANGE_NOT_SATISFIABLE', undefined, { details: { size: head.size } })
  }
  return range === 'whole' ? undefined : range
}

/** @throws `ERR_PHOTO_NOT_FOUND`, as for a wrong cookie, when it is malformed */
function cookieOf(text: string | undefined): Cookie | undefined {
  if (text === undefined) return undefined
  const cookie = parseCookie(text)
  if (cookie === undefined) throw new SheafError('ERR_PHOTO_NOT_FOUND')
  return cookie
}
