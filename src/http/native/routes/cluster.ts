import type { FastifyInstance } from 'fastify'
import type { NodeId } from '../../../domain/ids.js'
import { memberJson } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { clusterSchema, removeMemberSchema } from '../schemas/cluster-schemas.js'

/** Members of the cluster. */
export function addClusterRoutes(app: FastifyInstance, { cluster }: RouteContext): void {
  app.get('/cluster', { schema: clusterSchema }, async () => ({
    members: (await cluster.members()).map(memberJson),
    record_format: cluster.recordFormat()
  }))

  app.delete<{ Params: { id: string } }>(
    '/v1/admin/members/:id',
    { schema: removeMemberSchema },
    async ({ params: { id } }) => {
      await cluster.remove(id as NodeId)
      return { status: 'removed', id }
    }
  )
}
