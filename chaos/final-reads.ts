import type { HttpClient } from '../test/support/http-client.js'
import { sha256Hex } from '../test/support/photo-maker.js'
import type { ClusterNode } from './drivers/cluster-node.js'
import type { FinalPhoto, Line } from './history.js'
import type { KnownPhoto } from './known-photos.js'
import { clientAs, type People, UPLOADERS } from './people.js'
import { toldByMeta } from './requests.js'

/** Requests at once to each node. */
const AT_ONCE = 8

/**
 * Reads from every node all that clients were told of, and all that the nodes list: metadata, conflicts of what was edited
 * twice or more, bytes. Everybody reads what is his own.
 *
 * @param people - undefined: there are no accounts
 */
export async function readAll(
  nodes: readonly ClusterNode[],
  known: readonly KnownPhoto[],
  record: (line: Line) => void,
  people: People | undefined
): Promise<void> {
  const edits = new Map(known.map(({ photo, edits }) => [photo, edits]))
  const owners = new Map(known.map(({ photo, as }) => [photo, as]))
  const lists = await Promise.all(nodes.map(node => ownPhotos(node, people)))
  for (const [i, list] of lists.entries()) {
    record({ type: 'listed', node: (nodes[i] as ClusterNode).name, photos: [...list.keys()] })
    for (const [photo, owner] of list) owners.set(photo, owner)
  }
  await Promise.all(
    nodes.map(node =>
      eachOf([...owners], AT_ONCE, async ([photo, owner]) => {
        const wantsConflicts = (edits.get(photo) ?? 0) > 1
        const seen = await readPhoto(clientAs(node, people, owner), photo, wantsConflicts)
        record({ type: 'final', node: node.name, photo, seen })
      })
    )
  )
}

/** @returns all photos that a node lists to their owners, and those */
export async function ownPhotos(
  node: ClusterNode,
  people: People | undefined
): Promise<ReadonlyMap<string, string | undefined>> {
  const found = new Map<string, string | undefined>()
  for (const owner of people === undefined ? [undefined] : UPLOADERS) {
    const { photos } = await clientAs(node, people, owner).list(owner === undefined ? '' : 'owner=me')
    for (const { photo_id: id } of photos) found.set(id, owner)
  }
  return found
}

async function readPhoto(client: HttpClient, photo: string, wantsConflicts: boolean): Promise<FinalPhoto> {
  const meta = await client.meta(photo)
  if (meta.status !== 200) return { status: meta.status }
  const { status, body, headers } = await client.photo(photo)
  const source = headers['x-sheaf-source']
  return {
    status: 200,
    ...toldByMeta(meta.body),
    ...(wantsConflicts && { conflicts: await conflictsOf(client, photo) }),
    bytes: { status, sha256: sha256Hex(body), ...(typeof source === 'string' && { source }) }
  }
}

async function conflictsOf(client: HttpClient, photo: string): Promise<readonly string[]> {
  const { conflicts } = await client.json<{ conflicts: { name: string }[] }>('GET', `/photo/${photo}/conflicts`, 200)
  return conflicts.map(({ name }) => name)
}

/** Does a task for each item, at most so many at once. */
export async function eachOf<Item>(
  items: readonly Item[],
  atOnce: number,
  task: (item: Item) => Promise<void>
): Promise<void> {
  const rest = items.values() // shared: each worker takes the next one
  const work = async (): Promise<void> => {
    for (const item of rest) await task(item)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
