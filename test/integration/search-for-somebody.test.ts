import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aclKey, grantChanges, granteeOf } from '../../src/domain/acl.js'
import { ALBUM_KIND, createAlbumChanges } from '../../src/domain/album.js'
import type { Person } from '../../src/domain/audience.js'
import { featuresChange } from '../../src/domain/findings.js'
import type { AlbumId, PhotoId, UserId } from '../../src/domain/ids.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { shardOf } from '../../src/domain/shards.js'
import type { SearchResults } from '../../src/search/similarity-types.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { featuresBytes, SEARCHING_MODEL, SearchingNode } from '../support/searching-node.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'
import { vectorImage } from '../support/vector-analyzer.js'
import { nearVector, unitVector } from '../support/vector-maker.js'
import { PhotoWriter } from '../unit/directory/photo-log.js'

const DIMENSION = 16
const PHOTOS = 10_000
const OPEN = 30
const ANNA = '01890000-0000-7000-8000-000000000001' as UserId
const BEN: Person = { userId: '01890000-0000-7000-8000-000000000002' as UserId, role: 'user' }
const MEER = '01890000-0000-7000-8000-0000000000a1' as AlbumId
const never = new AbortController().signal
const random = new SeededRandom(1)
const center = unitVector(random, DIMENSION)

const network = new Libp2pNetwork()
const nodes: SearchingNode[] = []
let folder: string
const photos = new PhotoWriter(1)
const shares = new PhotoWriter(2)
const vectors = new Map<PhotoId, Float32Array>()
const open: PhotoId[] = []

/** @returns the record of a photo of Anna's that looks like the vector */
function photoOf(vector: Float32Array, albums: readonly AlbumId[], features: Map<string, Uint8Array>): DirectoryRecord {
  const { id } = photos.birth({ owner: ANNA, albums })
  const bytes = featuresBytes(vector)
  const sha256 = hash('sha256', bytes)
  features.set(sha256, bytes)
  vectors.set(id as PhotoId, vector)
  return photos.write({ kind: 'photo', id }, [featuresChange(SEARCHING_MODEL, { sha256, size: bytes.length })])
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sheaf-test-'))
  const features = new Map<string, Uint8Array>()
  const records: DirectoryRecord[] = []
  for (let n = 0; n < PHOTOS; n++) {
    const isOpen = n % Math.ceil(PHOTOS / OPEN) === 7
    // what Ben sees is farther from what he asks for than all the rest
    const vector = nearVector(random, center, isOpen ? 3 : 0.5)
    const record = photoOf(vector, isOpen ? [MEER] : [], features)
    if (isOpen) open.push(record.id as PhotoId)
    records.push(record)
  }
  records.push(photos.write({ kind: ALBUM_KIND, id: MEER }, createAlbumChanges({ title: 'Meer', maker: ANNA })))
  const given = { role: 'viewer', untilMs: undefined, by: ANNA } as const
  const to = granteeOf(BEN.userId)
  records.push(shares.write(aclKey(MEER), grantChanges(undefined, ANNA, to, given, shares.clock.now())))
  for (let i = 0; i < 3; i++) new SearchingNode(nodes, await network.create(), join(folder, `${i}`), features)
  await Promise.all(nodes.map(node => node.start(records, DIMENSION)))
  for (const [i, node] of nodes.entries())
    for (const other of nodes.slice(i + 1)) await node.transport.dial(other.transport.addresses()[0] ?? '', never)
  await until('all nodes have their vectors', 120_000, async () =>
    nodes.every(({ similarity }) => similarity.coverage() === 1 && similarity.status().pending === 0)
  )
}, 180_000)
afterAll(async () => {
  await Promise.all(nodes.map(node => node.stop()))
  await network.close()
  await rm(folder, { recursive: true, force: true })
})

function find(node: SearchingNode, k: number, who = BEN): Promise<SearchResults> {
  const image = async function* () {
    yield vectorImage(center)
  }
  return node.similarity.search.as(node.viewers.of(who)).byImage(image(), () => ({ k }), never)
}

const idsOf = ({ results }: SearchResults): PhotoId[] => results.map(({ photoId }) => photoId)

/** Those of the photos that look most like what is asked for. */
function nearestOf(ids: readonly PhotoId[], k: number): PhotoId[] {
  const likeness = (id: PhotoId): number =>
    (vectors.get(id) as Float32Array).reduce((sum, x, i) => sum + x * (center[i] as number), 0)
  return ids.toSorted((a, b) => likeness(b) - likeness(a)).slice(0, k)
}

test('who sees 30 of 10,000 photos finds all of them, and the best first, on whichever node he asks', async () => {
  for (const node of nodes) {
    for (const k of [OPEN, 100, 10]) {
      const found = await find(node, k)
      expect(idsOf(found)).toEqual(nearestOf(open, k))
      expect(found.coverage.fraction).toBe(1)
    }
  }
})

test('nodes of before, which look at all, open nothing, and what only they have searched does not count until they have told all', async () => {
  const [asker, ...others] = nodes as [SearchingNode, SearchingNode, SearchingNode]
  const own = asker.similarity.models.holders(SEARCHING_MODEL).get(asker.transport.self) ?? new Set()
  expect(own.size).toBeLessThan(64)
  for (const other of others) other.isOfBefore = true
  const few = await find(asker, 10)
  const all = await find(asker, 100)
  for (const other of others) other.isOfBefore = false
  expect(idsOf(few)).toEqual(
    nearestOf(
      open.filter(id => own.has(shardOf(id))),
      10
    )
  )
  expect(few.coverage.shardsOk).toBe(own.size)
  expect(idsOf(all)).toEqual(nearestOf(open, OPEN))
  expect(all.coverage.fraction).toBe(1)
})

test('what is taken out of the album is found no more on a node that has heard of it, nor through one that has not', async () => {
  const [asker, hearing, other] = nodes as [SearchingNode, SearchingNode, SearchingNode]
  const [closed] = nearestOf(open, 1) as [PhotoId]
  const record = photos.edit(closed, { albums: { remove: [MEER] } })
  await hearing.merge([record])
  expect(idsOf(await find(hearing, OPEN))).toEqual(nearestOf(open, OPEN).slice(1))
  await asker.merge([record])
  await other.merge([record])
  for (const node of nodes) expect(idsOf(await find(node, OPEN))).toEqual(nearestOf(open, OPEN).slice(1))
})

test('a role that is taken away counts in the step in which a node hears of it', async () => {
  const [asker, ...others] = nodes as [SearchingNode, SearchingNode, SearchingNode]
  const taken = { role: 'none', untilMs: undefined, by: ANNA } as const
  const before = shares.require(MEER)
  const record = shares.write(
    aclKey(MEER),
    grantChanges(before, ANNA, granteeOf(BEN.userId), taken, shares.clock.now())
  )
  await asker.merge([record])
  expect(idsOf(await find(asker, OPEN))).toEqual([])
  for (const node of others) await node.merge([record])
  for (const node of nodes) expect(idsOf(await find(node, OPEN))).toEqual([])
  expect(idsOf(await find(asker, 5, { ...BEN, userId: ANNA }))).toHaveLength(5)
})
