import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SheafError } from '../../../core/errors.js'
import type { Logger } from '../../../core/log.js'
import { type CodedFile, PageFiles, type ReadWebFile } from '../../web/page-files.js'
import { ETAG_HEADER, problems } from '../schemas/common.js'

const PAGE = {
  summary: 'The page for people',
  description: 'What it consists of is below /assets.',
  tags: ['node'],
  rights: { needs: [] },
  response: {
    200: { description: 'HTML', headers: ETAG_HEADER, content: { 'text/html': { schema: { type: 'string' } } } },
    ...problems('ERR_NOT_FOUND')
  }
}

/**
 * Nothing from elsewhere, nothing inline, no frames; texts become markup or scripts nowhere. The one policy of Trusted Types
 * is for the address of the worker.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "media-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types sheaf'
].join('; ')

const COMMON_HEADERS = {
  vary: 'accept-encoding',
  'cross-origin-resource-policy': 'same-origin',
  // a worker has the policy of its own answer
  'content-security-policy': CONTENT_SECURITY_POLICY
}
const PAGE_HEADERS = {
  ...COMMON_HEADERS,
  'cache-control': 'no-cache',
  // a form that sends no origin would be refused, so not `no-referrer`
  'referrer-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()'
}
/** The name of an asset has a digest of what is in it. */
const ASSET_HEADERS = { ...COMMON_HEADERS, 'cache-control': 'public, max-age=31536000, immutable' }

/** `GET /`: the page for people, and `GET /assets/{name}`: what it consists of. */
export async function addPage(app: FastifyInstance, read: ReadWebFile, log: Logger): Promise<void> {
  const files = await PageFiles.read(read)
  if (files === undefined) {
    log.warn({}, 'this installation has no web page: build it again with npm run build')
    app.get('/', { schema: PAGE }, async () => {
      throw new SheafError('ERR_NOT_FOUND', 'this installation has no web page: build it again with `npm run build`')
    })
    return
  }
  const find = (request: FastifyRequest, name: string): CodedFile | undefined =>
    files.find(name, request.headers['accept-encoding']?.toString())

  app.get('/', { schema: PAGE }, async (request, reply) => send(reply, find(request, 'index.html'), PAGE_HEADERS))
  app.get<{ Params: { name: string } }>(
    '/assets/:name',
    { schema: { hide: true, rights: { needs: [] } } },
    async (request, reply) => {
      const { name } = request.params
      return send(reply, name.endsWith('.html') ? undefined : find(request, name), ASSET_HEADERS)
    }
  )
}

function send(reply: FastifyReply, file: CodedFile | undefined, headers: Readonly<Record<string, string>>): Buffer {
  if (file === undefined)
    throw new SheafError(
      'ERR_NOT_FOUND',
      'the page of this node has no such part: it is of another build; load it again'
    )
  reply.headers({ ...headers, 'content-type': file.type, etag: file.etag })
  if (file.coding !== 'identity') reply.header('content-encoding', file.coding)
  return file.bytes
}
