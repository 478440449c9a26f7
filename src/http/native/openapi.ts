import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { Schema } from './schemas/common.js'

/** Collects the schemas of all routes added afterwards; `GET /openapi.json` returns the document. */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sheaf',
        version,
        description: 'Symmetric photo storage: any node serves any request. Errors are RFC 9457 problems with a code.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      components: {
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
    transform: ({ schema, url }) => {
      const { streamedBody, ...rest } = schema as Schema
      return { schema: streamedBody === undefined ? rest : { ...rest, body: streamedBody }, url }
    }
  })

  app.get(
    '/openapi.json',
    {
      schema: {
        summary: 'This document',
        tags: ['node'],
        response: {
          200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } }
        }
      }
    },
    async () => app.swagger()
  )
}
