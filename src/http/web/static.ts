import type { FastifyInstance } from 'fastify'
import { SheafError } from '../../core/errors.js'
import type { ReadWebFile } from './page-files.js'

/** Nothing from elsewhere, nothing inline that runs, and nobody may put the page into a frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8'
} as const

export interface StaticFile {
  /** Where it is served. */
  readonly url: string
  /** Below the folder of what `npm run build` has put together. */
  readonly path: `${string}.${keyof typeof TYPES}`
  /** Default: it is not in the document of the interface. */
  readonly schema?: object
}

/** Serves files to browsers, under a policy that lets a page load and ask nothing but this node. */
export function addStaticFiles(app: FastifyInstance, files: readonly StaticFile[], read: ReadWebFile): void {
  for (const { url, path, schema } of files) {
    const type = TYPES[path.slice(path.lastIndexOf('.') + 1) as keyof typeof TYPES]
    app.get(url, { schema: schema ?? { hide: true, rights: { needs: [] } } }, async (_request, reply) => {
      const bytes = await read(path)
      if (bytes === undefined)
        throw new SheafError('ERR_NOT_FOUND', `this installation lacks ${path}: build it again with \`npm run build\``)
      reply.headers({
        'content-type': type,
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'referrer-policy': 'no-referrer',
        // the page names what it needs, which a new version of the program may bring anew
        'cache-control': type === TYPES.html ? 'no-store' : 'max-age=3600'
      })
      return Buffer.from(bytes)
    })
  }
}
