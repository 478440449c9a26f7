import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AudienceSet, namedAudience } from '../../../src/domain/audience.js'
import { decodeFeatures, modelIdOf } from '../../../src/domain/features.js'
import type { NodeId, PhotoId, UserId } from '../../../src/domain/ids.js'
import { ALL_SHARDS, type ShardSet, shardOf, shardOwners } from '../../../src/domain/shards.js'
import { featuresOf } from '../../../src/search/photo-features.js'
import { ShardReplica } from '../../../src/search/shard-replica.js'
import type { PhotoBlob } from '../../../src/store/photo-needles.js'
import { type ExactVectorIndex, ExactVectorIndexes } from '../../support/exact-vector-indexes.js'
import { unitVector } from '../../support/vector-maker.js'
import { DIGEST, DIMENSION, OTHER_DIGEST, SeenPhotos } from './similarity-fixture.js'

const SELF = 'self' as NodeId
const MODEL = modelIdOf(DIGEST)
const [B, C] = ['b', 'c'] as [NodeId, NodeId]
const ANNA = '01890000-0000-7000-8000-000000000001' as UserId
const ALBUM = '01890000-0000-7000-8000-0000000000a1'
const NONE: ShardSet = new Set()

let photos: SeenPhotos
let indexes: ExactVectorIndexes
let opened: ExactVectorIndex[]
let peers: Map<NodeId, ShardSet>
let catchingUp: boolean
let announcements: number
let warnings: string[]
/** Runs when features are read. */
let whileReading: () => Promise<unknown>
let keeper: ShardReplica

async function startReplica(queueMax?: number): Promise<void> {
  const { directory, clock, components } = photos.base
  const { reader } = components
  keeper = new ShardReplica(
    {
      directory,
      reader: {
        isLocal: blob => reader.isLocal(blob),
        readNeedle: async (blob, chunk) => {
          const bytes = await reader.readNeedle(blob, chunk)
          await whileReading()
          return bytes
        }
      },
      onNeedles: photos.onNeedles,
      indexes: {
        keepOnly: models => indexes.keepOnly(models),
        open: async name => {
          const index = await indexes.open(name)
          opened.push(index)
          return index
        }
      },
      self: SELF,
      peers: () => peers,
      isReplicating: () => catchingUp,
      announce: () => void announcements++,
      clock,
      log: { ...photos.log, warn: (_fields: object, message: string) => void warnings.push(message) }
    },
    {
      model: MODEL,
      spaces: new Map([['image', DIMENSION]]),
      ...(queueMax !== undefined && { queueMax })
    }
  )
  await keeper.start()
}

beforeEach(async () => {
  photos = await SeenPhotos.start()
  indexes = new ExactVectorIndexes()
  opened = []
  peers = new Map()
  catchingUp = false
  announcements = 0
  warnings = []
  whileReading = async () => {}
})
afterEach(() => keeper.stop())

const vector = (): Float32Array => unitVector(photos.random, DIMENSION)
const settle = (): Promise<void> => photos.pass(2_000)

async function found(k = 1_000): Promise<PhotoId[]> {
  const { neighbors } = await keeper.search('image', vector(), k)
  return neighbors.map(({ id }) => id).sort()
}

async function expectAll(): Promise<void> {
  const held = (await photos.seen()).filter(id => keeper.ready.has(shardOf(id)))
  expect((await found()).filter(id => keeper.ready.has(shardOf(id)))).toEqual(held)
}

const ownedAmong = (members: readonly NodeId[]): ShardSet =>
  new Set([...ALL_SHARDS].filter(shard => shardOwners(shard, members).includes(SELF)))

describe('on a single node', () => {
  test('all existing vectors are indexed at the start, and all shards ready', async () => {
    for (let i = 0; i < 300; i++) await photos.add(vector())
    await photos.add(vector(), OTHER_DIGEST)
    await photos.upload()
    await startReplica()
    expect(keeper.ready).toEqual(NONE)
    await settle()
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(announcements).toBeGreaterThan(0)
    expect(keeper.vectors).toBe(300)
    expect(keeper.pending).toBe(0)
    await expectAll()
  })

  test('new, changed and removed photos are followed', async () => {
    await startReplica()
    await settle()
    const first = await photos.add([1, 0, 0, 0, 0, 0, 0, 0])
    const second = await photos.add([0, 1, 0, 0, 0, 0, 0, 0])
    await settle()
    expect(await found()).toEqual([first, second].sort())
    await photos.see(second, [0, 0, 1, 0, 0, 0, 0, 0]) // the lesser hash wins, whichever it is
    await photos.base.photos.remove(first)
    await settle()
    expect(await found()).toEqual([second])
    await photos.base.photos.undelete(first)
    await settle()
    expect(await found()).toEqual([second]) // features are read again
    await photos.see(first, [1, 0, 0, 0, 0, 0, 0, 0])
    await settle()
    expect(await found()).toEqual([first, second].sort())
    expect(keeper.vectors).toBe(2)
  })

  test('changes made while the process was down are caught up', async () => {
    const ids: PhotoId[] = []
    for (let i = 0; i < 20; i++) ids.push(await photos.add(vector()))
    await startReplica()
    await settle()
    await keeper.stop()
    for (const id of ids.slice(0, 5)) await photos.base.photos.remove(id)
    for (let i = 0; i < 5; i++) await photos.add(vector())
    const before = photos.base.store.reads
    await startReplica()
    await settle()
    expect(photos.base.store.reads - before).toBe(5) // the others were saved
    expect(keeper.vectors).toBe(20)
    await expectAll()
  })

  test('vectors that were saved for another version of the features are replaced', async () => {
    const id = await photos.add([1, 0, 0, 0, 0, 0, 0, 0])
    await startReplica()
    await settle()
    await keeper.stop()
    // the least hash wins: one of these is less than that of the first
    for (let i = 1; i < 8; i++) await photos.see(id, [1, i, 0, 0, 0, 0, 0, 0])
    await startReplica()
    await settle()
    const { neighbors } = await keeper.search('image', Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0), 1)
    const bytes = await photos.base.components.reader.readNeedle(
      featuresOf(photos.photo(id).record, MODEL) as PhotoBlob,
      0
    )
    const [x = 0] = decodeFeatures(bytes).vectors.get('image') ?? []
    expect(x).toBeLessThan(1)
    expect(neighbors).toEqual([{ id, score: expect.closeTo(x, 5) }])
  })

  test.each(['at the start', 'later'])(
    'a photo that is deleted while its features are read, %s, is not indexed',
    async when => {
      if (when === 'later') {
        await startReplica()
        await settle()
      }
      const id = await photos.upload()
      whileReading = async () => {
        whileReading = async () => {}
        await photos.base.photos.remove(id)
      }
      await photos.see(id, vector())
      if (when === 'at the start') await startReplica()
      await settle()
      expect(await found()).toEqual([])
      expect(keeper.vectors).toBe(0)
    }
  )

  test('an index that fails is opened again and filled', async () => {
    for (let i = 0; i < 30; i++) await photos.add(vector())
    await startReplica()
    await settle()
    await opened[0]?.close()
    await photos.add(vector())
    await photos.pass(30_000)
    expect(opened.length).toBeGreaterThan(1)
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(keeper.vectors).toBe(31)
  })

  test('an index that fails a search is opened again', async () => {
    for (let i = 0; i < 30; i++) await photos.add(vector())
    await startReplica()
    await settle()
    await opened[0]?.close()
    await expect(found()).rejects.toMatchObject({ code: 'ERR_INDEX_UNAVAILABLE' })
    await settle()
    expect(await found()).toEqual(await photos.seen())
    expect(opened).toHaveLength(2)
  })

  test('where not all vectors fit, it holds some shards whole, says how many it leaves out, and is quiet', async () => {
    for (let i = 0; i < 300; i++) await photos.add(vector())
    indexes.capacity = 150
    await startReplica()
    await settle()
    expect(keeper.vectors).toBeLessThanOrEqual(150)
    expect(keeper.vectors).toBeGreaterThan(50)
    expect(keeper.leftOut).toBeGreaterThan(20)
    expect(keeper.ready.size).toBe(ALL_SHARDS.size - keeper.leftOut)
    expect(keeper.pending).toBe(0)
    await expectAll()
    const before = photos.base.store.reads
    await photos.pass(120_000)
    expect(photos.base.store.reads).toBe(before)
  })

  test('when memory gets full it takes fewer shards; what it holds stays whole', async () => {
    indexes.capacity = 150
    await startReplica()
    await settle()
    expect(keeper.leftOut).toBe(0)
    for (let i = 0; i < 400; i++) {
      await photos.add(vector())
      if (i % 50 === 0) await settle()
    }
    await settle()
    expect(keeper.vectors).toBeLessThanOrEqual(150)
    expect(keeper.leftOut).toBeGreaterThan(0)
    expect(keeper.ready.size).toBe(ALL_SHARDS.size - keeper.leftOut)
    await expectAll()
    expect(warnings).toContainEqual(expect.stringContaining('--vector-bytes'))
  })

  test('after enough photos were deleted it takes more shards again', async () => {
    const ids: PhotoId[] = []
    for (let i = 0; i < 300; i++) ids.push(await photos.add(vector()))
    indexes.capacity = 150
    await startReplica()
    await settle()
    expect(keeper.leftOut).toBeGreaterThan(20)
    for (const id of ids.slice(0, 250)) await photos.base.photos.remove(id)
    await photos.pass(10_000)
    expect(keeper.leftOut).toBe(0)
    expect(keeper.ready).toEqual(ALL_SHARDS)
    await expectAll()
  })

  test('memory for not one shard: nothing is held, and nothing is tried over and over', async () => {
    for (let i = 0; i < 200; i++) await photos.add(vector())
    indexes.capacity = 1
    await startReplica()
    await settle()
    expect(keeper.ready).toEqual(NONE)
    expect(keeper.leftOut).toBe(ALL_SHARDS.size)
    const before = photos.base.store.reads
    await photos.pass(60_000)
    expect(photos.base.store.reads).toBe(before)
  })

  test('an index whose process has ended is opened again though nobody asks it', async () => {
    for (let i = 0; i < 30; i++) await photos.add(vector())
    await startReplica()
    await settle()
    await opened[0]?.close()
    await settle()
    expect(opened).toHaveLength(2)
    expect(keeper.ready).toEqual(ALL_SHARDS)
  })

  test('changes beyond the queue are found by a scan', async () => {
    await startReplica(10)
    await settle()
    const ids: PhotoId[] = []
    for (let i = 0; i < 60; i++) ids.push(await photos.add(vector()))
    for (const id of ids.slice(0, 20)) await photos.base.photos.remove(id)
    await photos.pass(60_000)
    await expectAll()
    expect(keeper.vectors).toBeGreaterThanOrEqual(40)
  })

  test('a search reports only shards that are complete throughout', async () => {
    await photos.add(vector())
    await startReplica()
    await settle()
    const answer = keeper.search('image', vector(), 5)
    await opened[0]?.close()
    await photos.add(vector())
    await photos.pass(1_000) // the index is closed
    expect((await answer).shards.size).toBeLessThanOrEqual(64)
    const late = keeper.search('image', vector(), 5)
    expect((await late).shards).toEqual(keeper.ready)
  })

  describe('who sees a photo', () => {
    const seenIn = async (...audiences: string[]): Promise<PhotoId[]> => {
      const { neighbors } = await keeper.search('image', vector(), 1_000, new AudienceSet(audiences.map(namedAudience)))
      return neighbors.map(({ id }) => id).sort()
    }
    const label = (id: PhotoId, change: { add?: string[]; remove?: string[] }) =>
      photos.base.photos.batchLabel([id], change)

    test('is known from its record, and followed in the step in which that changes', async () => {
      const [own, shared, open] = [
        await photos.addFor(ANNA, vector()),
        await photos.addFor(ANNA, vector()),
        await photos.add(vector())
      ]
      await label(shared, { add: [ALBUM] })
      await startReplica()
      await settle()
      expect(await seenIn('-')).toEqual([open])
      expect(await seenIn(ANNA, `${ANNA} ${ALBUM}`)).toEqual([own, shared].sort())
      await label(own, { add: [ALBUM] })
      expect(await seenIn(`${ANNA} ${ALBUM}`)).toEqual([own, shared].sort())
      await label(shared, { remove: [ALBUM] })
      expect([await seenIn(`${ANNA} ${ALBUM}`), await seenIn(ANNA)]).toEqual([[own], [shared]])
      await photos.base.photos.remove(own)
      await settle()
      expect(await seenIn(ANNA, `${ANNA} ${ALBUM}`, '-')).toEqual([open, shared].sort())
    })

    test('is right though it changed while the node was down, or the process of the index ended', async () => {
      const ids = [await photos.addFor(ANNA, vector()), await photos.addFor(ANNA, vector())] as const
      await startReplica()
      await settle()
      await keeper.stop()
      await label(ids[0], { add: [ALBUM] })
      await startReplica()
      await settle()
      expect([await seenIn(ANNA), await seenIn(`${ANNA} ${ALBUM}`)]).toEqual([[ids[1]], [ids[0]]])
      await opened.at(-1)?.close()
      await label(ids[1], { add: [ALBUM] })
      await settle()
      expect([await seenIn(ANNA), await seenIn(`${ANNA} ${ALBUM}`)]).toEqual([[], [...ids].sort()])
    })

    test('is right though it changed while its features were read', async () => {
      await startReplica()
      await settle()
      const id = await photos.upload('image/jpeg', ANNA)
      whileReading = async () => {
        whileReading = async () => {}
        await label(id, { add: [ALBUM] })
      }
      await photos.see(id, vector())
      await settle()
      expect([await seenIn(ANNA), await seenIn(`${ANNA} ${ALBUM}`)]).toEqual([[], [id]])
    })
  })

  test('vectors of other dimensions and spaces are not compared', async () => {
    await startReplica()
    await settle()
    await expect(keeper.search('image', Float32Array.of(1), 5)).rejects.toMatchObject({ code: 'ERR_MODEL_MISMATCH' })
    await expect(keeper.search('text', vector(), 5)).rejects.toMatchObject({ code: 'ERR_MODEL_MISMATCH' })
  })
})

describe('features that are not here yet', () => {
  /** @returns takes the needles of a photo's features away and brings them back */
  async function withoutNeedle(id: PhotoId): Promise<() => Promise<void>> {
    const { store } = photos.base
    const taken = store.needles.filter(({ identity, location }) => {
      return identity.kind === 'data' && location.length > 60 && identity.alternateKey !== 0 && idOf(identity.id) === id
    })
    expect(taken).toHaveLength(1)
    store.drop(needle => taken.includes(needle))
    return async () => {
      await store.append(
        taken.map(({ header, data }) => ({ header, data })),
        'upkeep'
      )
      photos.grow()
    }
  }
  const idOf = (bytes: Uint8Array): string =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

  test('keep only their own shard from being ready while needles are still arriving', async () => {
    catchingUp = true
    const id = await photos.add(vector())
    const bring = await withoutNeedle(id)
    await startReplica()
    await photos.pass(60_000)
    expect(keeper.pending).toBe(1)
    expect([...ALL_SHARDS].filter(shard => !keeper.ready.has(shard))).toEqual([shardOf(id)])
    await bring()
    await settle()
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(keeper.pending).toBe(0)
    expect(await found()).toEqual([id])
  })

  test('are given up when nobody has them', async () => {
    const id = await photos.add(vector())
    const bring = await withoutNeedle(id)
    await startReplica()
    await settle()
    expect(keeper.ready.has(shardOf(id))).toBe(false)
    await photos.pass(12_000)
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(keeper.pending).toBe(1)
    await bring()
    await settle()
    expect(await found()).toEqual([id])
  })

  test('are not read repeatedly when they are damaged', async () => {
    const id = await photos.add(vector())
    photos.base.store.damage(({ identity }) => identity.alternateKey !== 0)
    await startReplica()
    await photos.pass(20_000)
    const before = photos.base.store.reads
    for (let i = 0; i < 50; i++) {
      photos.grow()
      await photos.pass(100)
    }
    expect(photos.base.store.reads - before).toBe(0)
    expect(keeper.ready.has(shardOf(id))).toBe(true)
  })

  test('of a photo that is deleted are not waited for', async () => {
    catchingUp = true
    const id = await photos.add(vector())
    await withoutNeedle(id)
    await startReplica()
    await settle()
    await photos.base.photos.remove(id)
    await settle()
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(keeper.pending).toBe(0)
  })

  test('are found even if more are missing than can be remembered', async () => {
    const brings: (() => Promise<void>)[] = []
    for (let i = 0; i < 12; i++) brings.push(await withoutNeedle(await photos.add(vector())))
    await startReplica(5)
    await photos.pass(5_000)
    for (const bring of brings) await bring()
    await photos.pass(120_000)
    expect(keeper.vectors).toBe(12)
    expect(keeper.ready).toEqual(ALL_SHARDS)
  })
})

describe('in a cluster', () => {
  beforeEach(async () => {
    for (let i = 0; i < 150; i++) await photos.add(vector())
    peers = new Map([
      [B, NONE],
      [C, NONE]
    ])
    await startReplica()
    await settle()
  })

  test('only its own shards are held', async () => {
    const owned = ownedAmong([SELF, B, C])
    expect(owned.size).toBeGreaterThan(20)
    expect(owned.size).toBeLessThan(64)
    expect(keeper.ready).toEqual(owned)
    expect(await found()).toEqual((await photos.seen()).filter(id => owned.has(shardOf(id))))
  })

  test('when a member leaves, its shards are filled from this node’s own volumes', async () => {
    peers = new Map([[B, NONE]])
    await settle()
    expect(keeper.ready).toEqual(ALL_SHARDS)
    expect(await found()).toEqual(await photos.seen())
  })

  test('a shard is kept until its new owners have had it for a while', async () => {
    peers = new Map()
    await settle()
    expect(keeper.ready).toEqual(ALL_SHARDS)
    const owned = ownedAmong([SELF, B, C])
    peers = new Map([
      [B, NONE],
      [C, ALL_SHARDS]
    ])
    await photos.pass(30 * 60_000)
    // for B's shards it is the only node besides C with any vectors
    const kept = [...ALL_SHARDS].filter(s => owned.has(s) || shardOwners(s, [SELF, B, C]).includes(B))
    expect(keeper.ready).toEqual(new Set(kept))
    peers = new Map([
      [B, ALL_SHARDS],
      [C, ALL_SHARDS]
    ])
    await photos.pass(9 * 60_000)
    expect(keeper.ready).toEqual(new Set(kept))
    await photos.pass(2 * 60_000)
    expect(keeper.ready).toEqual(owned)
    expect(await found()).toEqual((await photos.seen()).filter(id => owned.has(shardOf(id))))
  })

  test('a member that is down for a moment moves no shards', async () => {
    const all = peers
    peers = new Map()
    await settle()
    peers = new Map([
      [B, ALL_SHARDS],
      [C, ALL_SHARDS]
    ])
    await photos.pass(5 * 60_000)
    peers = new Map()
    await photos.pass(1_000)
    peers = all
    expect(keeper.ready).toEqual(ALL_SHARDS)
  })
})

test('once quiet, exactly the live photos are indexed, whatever happened', async () => {
  await startReplica() // for afterEach
  await fc.assert(
    fc.asyncProperty(fc.nat(), async seed => {
      await keeper.stop()
      photos = await SeenPhotos.start(seed)
      indexes = new ExactVectorIndexes()
      peers = new Map()
      const { random } = photos
      const ids: PhotoId[] = []
      await startReplica(random.pick([3, 1_000]))
      for (let step = 0; step < 60; step++) {
        const id = ids.length === 0 ? undefined : random.pick(ids)
        const choice = random.below(12)
        if (choice < 3 || id === undefined) ids.push(await photos.upload())
        else if (choice < 6) await photos.see(id, vector()).catch(() => {})
        else if (choice < 7) await photos.base.photos.remove(id)
        else if (choice < 8) await photos.base.photos.undelete(id)
        else if (choice < 9) {
          await keeper.stop()
          await startReplica(random.pick([3, 1_000]))
        } else if (choice < 10) {
          peers = new Map([B, C].filter(() => random.chance(0.5)).map(peer => [peer, random.pick([NONE, ALL_SHARDS])]))
        } else if (choice < 11) await opened.at(-1)?.close()
        else await photos.pass(random.pick([1, 600, 700_000]))
      }
      peers = new Map([...peers.keys()].map(peer => [peer, ALL_SHARDS]))
      await photos.pass(2_000_000)
      await found().catch(() => photos.pass(70_000)) // perhaps the closed index was not noticed yet
      expect(keeper.ready).toEqual(ownedAmong([SELF, ...peers.keys()]))
      expect(await found()).toEqual((await photos.seen()).filter(id => keeper.ready.has(shardOf(id))))
      expect(keeper.pending).toBe(0)
    }),
    { numRuns: 15 }
  )
})
