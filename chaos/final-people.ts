import { HttpClient } from '../test/support/http-client.js'
import type { ClusterNode } from './drivers/cluster-node.js'
import type { FinishComponents } from './final-searches.js'
import { MEMBERS, OWNERS } from './people.js'

interface SharingJson {
  readonly owner: { readonly name: string } | null
  readonly shares: readonly {
    readonly principal: string
    readonly user: { readonly name: string } | null
    readonly role: string
    readonly in_force: boolean
  }[]
}

/**
 * Reads accounts, albums and their shares from every node, and has everybody try there to take away what nobody was given:
 * that changes nothing, but only who may share is not refused.
 */
export async function readPeople(nodes: readonly ClusterNode[], components: FinishComponents): Promise<void> {
  await Promise.all(nodes.map(node => readNode(node, components)))
}

async function readNode({ name: node, client, url }: ClusterNode, { record, people }: FinishComponents): Promise<void> {
  const { users } = await client.json<{ users: { name: string; role: string; state: string }[] }>(
    'GET',
    '/v1/users?limit=1000',
    200
  )
  for (const { name, role, state } of users) record({ type: 'account', node, name, role, state })
  const { albums } = await client.json<{ albums: { album_id: string }[] }>('GET', '/v1/albums?limit=1000', 200)
  for (const { album_id: album } of albums) {
    const { owner, shares } = await client.json<SharingJson>('GET', `/v1/albums/${album}/shares`, 200)
    const roles = shares.map(({ principal, user, role, in_force: isInForce }) => {
      return [user?.name ?? principal, { role, isInForce }] as const
    })
    record({ type: 'shared', node, album, owner: owner?.name ?? 'everyone', roles: Object.fromEntries(roles) })
    for (const as of [...OWNERS, ...MEMBERS]) {
      const own = new HttpClient(url, { credential: people?.get(as)?.token })
      const { status } = await own.request('DELETE', `/v1/albums/${album}/shares/public`)
      own.close()
      record({ type: 'tried', node, album, as, status })
    }
  }
}
