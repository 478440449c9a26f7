import type { FastifyInstance } from 'fastify'
import { leastPurgedToMs } from '../../../cluster/cluster-status.js'
import type { NodeId } from '../../../domain/ids.js'
import { laidOutCountJson, memberJson, timeOrNull } from '../json-forms.js'
import type { RouteContext } from '../route-context.js'
import { clusterSchema, removeMemberSchema } from '../schemas/cluster-schemas.js'

/** Members of the cluster. */
export function addClusterRoutes(app: FastifyInstance, { cluster, laidOut }: RouteContext): void {
  app.get('/cluster', { schema: clusterSchema }, async () => {
    const members = await cluster.members()
    const { counts, isAlarming } = laidOut.counts()
    return {
      members: members.map(memberJson),
      record_format: cluster.recordFormat(),
      purged_to: timeOrNull(leastPurgedToMs(members)),
      laid_out: counts.map(laidOutCountJson),
      laid_out_alarm: isAlarming
    }
  })

  app.delete<{ Params: { id: string } }>(
    '/v1/admin/members/:id',
    { schema: removeMemberSchema },
    async ({ params: { id } }) => {
      await cluster.remove(id as NodeId)
      return { status: 'removed', id }
    }
  )
}
