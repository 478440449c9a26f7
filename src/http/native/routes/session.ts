import type { FastifyInstance } from 'fastify'
import { RIGHTS, rightsOf } from '../../../domain/rights.js'
import { isPresent } from '../../../network/membership/member-view.js'
import type { RouteContext } from '../route-context.js'
import { sessionSchema } from '../schemas/session-schema.js'

/** `GET /session`: what the page offers. */
export function addSessionRoute(app: FastifyInstance, { cluster, init }: RouteContext): void {
  app.get('/session', { schema: sessionSchema }, async ({ principal }) => {
    const rights = rightsOf(principal)
    const members = await cluster.members()
    return {
      user: null,
      can: RIGHTS.filter(right => rights.has(right)),
      node: { id: init.nodeId, name: members.find(({ self }) => self)?.name ?? '' },
      nodes: members
        .filter(({ self, state, http = [] }) => !self && state !== 'left' && http.length > 0)
        .sort((a, b) => Number(isPresent(b.state)) - Number(isPresent(a.state)))
        .map(({ id, name, http = [] }) => ({ id, name, http }))
    }
  })
}
