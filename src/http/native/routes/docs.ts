import type { FastifyInstance } from 'fastify'
import type { ReadWebFile } from '../../web/page-files.js'
import { addStaticFiles, type StaticFile } from '../../web/static.js'
import { problems } from '../schemas/common.js'

const PAGE = {
  summary: 'A page that shows this document and tries it',
  tags: ['node'],
  rights: { needs: [] },
  response: { 200: { description: 'HTML', content: { 'text/html': { schema: { type: 'string' } } } }, ...problems() }
}

const FILES: readonly StaticFile[] = [
  { url: '/docs', path: 'docs/index.html', schema: PAGE },
  { url: '/docs/docs.js', path: 'docs/docs.js' },
  { url: '/docs/swagger-ui-bundle.js', path: 'docs/swagger-ui-bundle.js' },
  { url: '/docs/swagger-ui.css', path: 'docs/swagger-ui.css' }
]

/** `GET /docs`: Swagger UI over `/openapi.json`, with nothing from another host. */
export function addDocsPage(app: FastifyInstance, read: ReadWebFile): void {
  addStaticFiles(app, FILES, read)
}
