import type { HttpClient } from '../test/support/http-client.js'
import { sha256Hex } from '../test/support/photo-maker.js'
import type { ClusterNode } from './drivers/cluster-node.js'
import type { FinalPhoto, Line } from './history.js'
import type { KnownPhoto } from './known-photos.js'
import { toldByMeta } from './requests.js'

/** Requests at once to each node. */
const AT_ONCE = 8

/**
 * Reads from every node all that clients were told of, and all that the nodes list: metadata, conflicts of what was edited
 * twice or more, bytes.
 */
export async function readAll(
  nodes: readonly ClusterNode[],
  known: readonly KnownPhoto[],
  record: (line: Line) => void
): Promise<void> {
  const edits = new Map(known.map(({ photo, edits }) => [photo, edits]))
  const lists = await Promise.all(
    nodes.map(async ({ name, client }) => {
      const photos = (await client.list()).photos.map(({ photo_id: id }) => id)
      record({ type: 'listed', node: name, photos })
      return photos
    })
  )
  const ids = [...new Set([...edits.keys(), ...lists.flat()])]
  await Promise.all(
    nodes.map(({ name, client }) =>
      eachOf(ids, AT_ONCE, async photo => {
        const wantsConflicts = (edits.get(photo) ?? 0) > 1
        record({ type: 'final', node: name, photo, seen: await readPhoto(client, photo, wantsConflicts) })
      })
    )
  )
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
async function eachOf<Item>(
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
