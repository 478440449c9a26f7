import type { FastifyInstance } from 'fastify'
import { memberJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { clusterSchema } from '../schemas/cluster-schemas.js'

/** Who belongs to the cluster. */
export function addClusterRoutes(app: FastifyInstance, { cluster }: RouteContext): void {
  app.get('/cluster', { schema: clusterSchema }, async () => ({ members: (await cluster.members()).map(memberJson) }))
}
