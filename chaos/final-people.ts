import type { HttpClient } from '../test/support/http-client.js'
import type { ClusterNode } from './drivers/cluster-node.js'
import { eachOf, ownPhotos } from './final-reads.js'
import type { FinishComponents } from './final-searches.js'
import type { LineOf } from './history.js'
import { clientAs, MEMBERS, OWNERS, type People, ROOT } from './people.js'

/** Requests at once to each node. */
const AT_ONCE = 8

interface SharingJson {
  readonly owner: { readonly name: string } | null
  readonly shares: readonly {
    readonly principal: string
    readonly user: { readonly name: string } | null
    readonly role: string
    readonly in_force: boolean
  }[]
}

/** What there is to be seen on any node. */
interface Everything {
  readonly photos: readonly string[]
  readonly albums: readonly string[]
}

/**
 * Reads accounts, albums and their shares from every node, and has everybody try there to take away what nobody was given:
 * that changes nothing, but only who may share is not refused. Then everybody looks at every node for all that anybody has.
 */
export async function readPeople(nodes: readonly ClusterNode[], components: FinishComponents): Promise<void> {
  const found = await Promise.all(nodes.map(node => readNode(node, components)))
  const all = {
    photos: [...new Set(found.flatMap(({ photos }) => photos))],
    albums: [...new Set(found.flatMap(({ albums }) => albums))]
  }
  await Promise.all(nodes.map(node => readSights(node, all, components)))
}

/** @returns what its owners have there */
async function readNode(node: ClusterNode, { record, people }: FinishComponents): Promise<Everything> {
  const { name, client } = node
  const { users } = await client.json<{ users: { name: string; role: string; state: string }[] }>(
    'GET',
    '/v1/users?limit=1000',
    200
  )
  for (const { name: user, role, state } of users) record({ type: 'account', node: name, name: user, role, state })
  const albums: string[] = []
  for (const owner of OWNERS) {
    const own = clientAs(node, people, owner)
    for (const album of await albumsOf(own)) {
      const { owner: whose, shares } = await own.json<SharingJson>('GET', `/v1/albums/${album}/shares`, 200)
      if (whose?.name !== owner) continue // somebody has shared it with him
      albums.push(album)
      const roles = shares.map(({ principal, user, role, in_force: isInForce }) => {
        return [user?.name ?? principal, { role, isInForce }] as const
      })
      record({ type: 'shared', node: name, album, owner, roles: Object.fromEntries(roles) })
      record({ type: 'filled', node: name, album, photos: (await photosIn(own, album)).sort() })
      for (const as of [...OWNERS, ...MEMBERS]) {
        const { status } = await clientAs(node, people, as).request('DELETE', `/v1/albums/${album}/shares/public`)
        record({ type: 'tried', node: name, album, as, status })
      }
    }
  }
  return { albums, photos: [...(await ownPhotos(node, people)).keys()] }
}

async function readSights(node: ClusterNode, all: Everything, { record, people }: FinishComponents): Promise<void> {
  for (const as of [ROOT, ...OWNERS, ...MEMBERS]) record(await sightOf(node, as, all, people))
}

async function sightOf(
  node: ClusterNode,
  as: string,
  all: Everything,
  people: People | undefined
): Promise<LineOf<'sight'>> {
  const client = clientAs(node, people, as)
  const sight = { type: 'sight', node: node.name, as } as const
  const answers: Record<string, { readonly meta: number; readonly bytes: number }> = {}
  await eachOf(all.photos, AT_ONCE, async photo => {
    const [meta, bytes] = [await client.meta(photo), await client.photo(photo)]
    answers[photo] = { meta: meta.status, bytes: bytes.status }
  })
  const { status } = await client.request('GET', '/photos?limit=1')
  if (status !== 200) return { ...sight, status, photos: [], total: 0, albums: [], photosIn: {}, answers }
  const { photos, total } = await client.list()
  const contents: Record<string, readonly string[]> = {}
  for (const album of all.albums) contents[album] = await photosIn(client, album)
  return {
    ...sight,
    status,
    photos: photos.map(({ photo_id: id }) => id),
    total,
    albums: await albumsOf(client),
    photosIn: contents,
    answers
  }
}

/** @returns those that are open to who asks */
async function albumsOf(client: HttpClient): Promise<readonly string[]> {
  const { albums } = await client.json<{ albums: { album_id: string }[] }>('GET', '/v1/albums?limit=1000', 200)
  return albums.map(({ album_id: id }) => id)
}

async function photosIn(client: HttpClient, album: string): Promise<string[]> {
  const { photos } = await client.list(`album=${album}`)
  return photos.map(({ photo_id: id }) => id)
}
