import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { everyNeed, type Needs } from '../../domain/rights.js'
import { answersOf, type Schema } from './schemas/common.js'
import { OLDER_ERROR } from './schemas/legacy-schemas.js'
import { namedSchemas, withNames } from './schemas/named-schemas.js'

const DESCRIPTION = [
  'Symmetric photo storage: any node serves any request. Errors are RFC 9457 problems with a code.',
  'Every GET answers HEAD, too, without a body. Where parameters are listed, others are refused; GET /photo/{id} takes any.',
  'A body must come as it is: with Content-Range it is refused with 400, with a Content-Encoding with 415; Content-MD5,',
  'Content-Digest, Repr-Digest and Digest are checked. If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since count',
  'as RFC 9110 says. Any other method on a path is 405.'
].join(' ')

/** Collects the schemas of all routes added afterwards; `GET /openapi.json` returns the document. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sheaf',
        version,
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      components: {
        schemas: namedSchemas(),
        securitySchemes: {
          operator: {
            type: 'http',
            scheme: 'bearer',
            description: "what `operator.token` in the node's data folder holds; each start writes a new one"
          }
        }
      },
      tags: [
        { name: 'photos', description: 'reading and changing photos' },
        { name: 'uploads', description: 'storing photos' },
        { name: 'similarity', description: 'finding similar photos' },
        { name: 'node', description: 'this node' },
        { name: 'admin', description: 'long-running work, as jobs' }
      ]
    },
    transform: ({ schema, url, route }) => {
      const { streamedBody, rights, tokenIn, response = {}, ...rest } = schema as Schema
      const [method = 'GET'] = [route.method].flat()
      const all = answersOf(method, response as Record<string, Schema>, {
        hasParams: rest.params !== undefined,
        needs: rights as Needs
      })
      const answers = {
        ...rest,
        ...rightsJson(rights as Needs),
        response: withNames(rest.deprecated === true ? asOlder(all) : all)
      }
      return { schema: streamedBody === undefined ? answers : { ...answers, body: streamedBody }, url }
    }
  })

  app.get(
    '/openapi.json',
    {
      schema: {
        summary: 'This document',
        tags: ['node'],
        rights: { needs: [] },
        response: {
          200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } }
        }
      }
    },
    async () => app.swagger()
  )
}

/** What an operation needs, for programs; and how the one right that needs a token is shown. */
function rightsJson(rights: Needs): Schema {
  const isOperators = rights.needs.includes('operate')
  return {
    'x-sheaf-rights': rights,
    ...(everyNeed(rights).includes('operate') && { security: [...(isOperators ? [] : [{}]), { operator: [] }] })
  }
}

/** Older paths answer errors in another form. */
function asOlder(answers: Schema): Schema {
  const content = { 'application/json': { schema: OLDER_ERROR } }
  return Object.fromEntries(
    Object.entries(answers as Record<string, Schema>).map(([status, answer]) => [
      status,
      Number(status) >= 400 ? { ...answer, content } : answer
    ])
  )
}
