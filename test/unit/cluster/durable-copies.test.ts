import { describe, expect, onTestFinished, test } from 'vitest'
import { DurableCopies } from '../../../src/cluster/durable-copies.js'
import type { ActorId, NodeId, PhotoId, VolumeId } from '../../../src/domain/ids.js'
import { needleBytes } from '../../../src/domain/needle.js'
import { PeerVolumes } from '../../../src/replication/volumes/peer-volumes.js'
import { blobOf, type PhotoBlob } from '../../../src/store/photo-needles.js'
import { PHOTO_ID } from '../../support/domain-arbitraries.js'
import { settle } from '../../support/simulated-clock.js'
import { bodyOf, CHUNK_BYTES, type PhotosFixture, photosFixture } from '../photos/photos-fixture.js'
import { SeenPhotos } from '../search/similarity-fixture.js'

const [B, C, D] = ['node-b', 'node-c', 'node-d'] as [NodeId, NodeId, NodeId]

interface Fixture extends PhotosFixture {
  readonly copies: DurableCopies
  readonly peers: PeerVolumes
  /** When the others were asked what they hold, ms. */
  readonly asked: readonly number[]
  upload(byteCount: number): Promise<PhotoId>
  /** Where the volume ends now. */
  end(): number
}

async function fixture(): Promise<Fixture> {
  const base = await photosFixture()
  onTestFinished(() => base.directory.stop())
  const { directory, store, clock, photos } = base
  const peers = new PeerVolumes()
  const asked: number[] = []
  return {
    ...base,
    peers,
    copies: new DurableCopies({
      directory,
      volumes: store,
      peers,
      clock,
      ask: () => void asked.push(clock.monotonic())
    }),
    asked,
    upload: async byteCount => (await photos.upload(bodyOf(Buffer.alloc(byteCount, 7)), {})).photoId,
    end: () => store.groups.at(-1)?.to ?? 0
  }
}

/** @returns what the wait has come to, or `waiting` */
async function state(wait: Promise<number>): Promise<number | 'waiting'> {
  let result: number | 'waiting' = 'waiting'
  void wait.then(copies => {
    result = copies
  })
  await settle()
  return result
}

describe('on how many nodes a photo is durable', () => {
  test('this one alone is one, and is not waited for', async () => {
    const { copies, clock, upload } = await fixture()
    expect(await copies.waitFor(await upload(100), 1)).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('a peer counts once it has the volume durably up to the end of the record', async () => {
    const { copies, peers, store, clock, upload, end } = await fixture()
    const wait = copies.waitFor(await upload(100), 2)
    peers.noteEnd(B, store.volume, end()) // there, but not durable
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(B, store.volume, end() - 1)
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(B, store.volume, end())
    expect(await state(wait)).toBe(2)
    expect(clock.pending).toBe(0)
  })

  test('what was written after the photo need not be there', async () => {
    const { copies, peers, store, upload, end } = await fixture()
    const id = await upload(100)
    peers.noteAcknowledged(B, store.volume, end())
    await upload(100)
    expect(await copies.waitFor(id, 2)).toBe(2)
  })

  test('all that were asked for are waited for, and all that there are get counted', async () => {
    const { copies, peers, store, upload, end } = await fixture()
    const wait = copies.waitFor(await upload(100), 3)
    peers.noteAcknowledged(B, store.volume, end())
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(C, store.volume, end())
    expect(await state(wait)).toBe(3)
    peers.noteAcknowledged(D, store.volume, end())
    expect(await copies.waitFor(await upload(100), 1)).toBe(1)
  })

  test('a wait ends after ten seconds with those that there are', async () => {
    const { copies, peers, store, clock, upload, end } = await fixture()
    const wait = copies.waitFor(await upload(100), 3)
    peers.noteAcknowledged(B, store.volume, end())
    await clock.advance(9_999)
    expect(await state(wait)).toBe('waiting')
    await clock.advance(1)
    expect(await state(wait)).toBe(2)
  })

  test('while it waits the others are asked what they hold, now and then', async () => {
    const { copies, peers, store, clock, upload, end, asked } = await fixture()
    const beganMs = clock.monotonic()
    const wait = copies.waitFor(await upload(100), 2)
    await clock.advance(499)
    expect(asked).toEqual([])
    await clock.advance(1_001)
    expect(asked.map(ms => ms - beganMs)).toEqual([500, 1_000, 1_500])
    peers.noteAcknowledged(B, store.volume, end())
    expect(await state(wait)).toBe(2)
    await clock.advance(10_000)
    expect([asked.length, clock.pending]).toEqual([3, 0])
  })

  test('a photo that is not here counts no peers', async () => {
    const { copies, peers, store, clock, upload, end } = await fixture()
    await upload(100)
    peers.noteAcknowledged(B, store.volume, end())
    expect(await copies.waitFor(PHOTO_ID, 2)).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('a photo of which a chunk cannot be found counts no peers', async () => {
    const { copies, peers, store, upload, end } = await fixture()
    const id = await upload(3 * CHUNK_BYTES)
    peers.noteAcknowledged(B, store.volume, end())
    expect(await copies.waitFor(id, 2)).toBe(2)
    store.locate = () => []
    expect(await copies.waitFor(id, 2)).toBe(1)
  })

  test('at the moment: whoever has the bytes to their last needle, the record aside', async () => {
    const { copies, peers, photos, store, upload } = await fixture()
    const { photo } = await photos.meta(await upload(3 * CHUNK_BYTES))
    const original = blobOf(photo, 'orig') as PhotoBlob
    const last = store.needles.findLast(({ identity }) => identity.kind === 'data')?.location
    const end = (last?.offset ?? 0) + needleBytes(last?.length ?? 0)
    peers.noteAcknowledged(B, store.volume, end - 1)
    expect(copies.of(original)).toBe(1)
    peers.noteAcknowledged(C, store.volume, end)
    expect(copies.of(original)).toBe(2)
    store.locate = () => []
    expect(copies.of(original)).toBe(0)
  })

  test('a peer whose connection is lost does not count', async () => {
    const { copies, peers, store, upload, end } = await fixture()
    const id = await upload(100)
    peers.noteAcknowledged(B, store.volume, end())
    peers.forget(B)
    peers.noteAcknowledged(C, store.volume, end())
    expect(await copies.waitFor(id, 2)).toBe(2)
  })
})

describe('a photo that stands in several volumes', () => {
  /** Three chunks in the first, the record in the second. */
  async function inTwoVolumes(): Promise<Fixture & { id: PhotoId; chunkEnd: number; first: VolumeId }> {
    const base = await fixture()
    const { store, upload, components } = base
    const id = await upload(3 * CHUNK_BYTES)
    const first = store.volume
    store.epoch = 'fedcba9876543210' as ActorId
    await components.writer.edit(id, () => ({
      changes: [{ kind: 'add', field: 'tags', key: 'sea', value: new Map() }]
    }))
    const chunks = store.needles.filter(({ identity }) => identity.kind === 'data').map(({ location }) => location)
    expect(chunks.map(({ volume }) => volume)).toEqual([first, first, first])
    const chunkEnd = Math.max(...chunks.map(({ offset, length }) => offset + needleBytes(length)))
    return { ...base, id, first, chunkEnd }
  }

  test('is needed in each of them, up to the last needle there', async () => {
    const { copies, peers, store, id, first, chunkEnd, end } = await inTwoVolumes()
    const wait = copies.waitFor(id, 2)
    peers.noteAcknowledged(B, store.volume, end())
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(B, first, chunkEnd - 8)
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(B, first, chunkEnd)
    expect(await state(wait)).toBe(2)
  })

  test('is nowhere when two peers have one half each', async () => {
    const { copies, peers, store, id, first, chunkEnd, clock, end } = await inTwoVolumes()
    peers.noteAcknowledged(B, first, chunkEnd)
    peers.noteAcknowledged(C, store.volume, end())
    const wait = copies.waitFor(id, 2)
    await clock.advance(10_000)
    expect(await state(wait)).toBe(1)
  })

  test('is needed with what a model saw in it', async () => {
    const photos = await SeenPhotos.start()
    const { directory, store, clock, components } = photos.base
    onTestFinished(() => directory.stop())
    const id = await photos.upload()
    const born = store.groups.at(-1)?.to ?? 0
    await photos.see(id, [1, 0, 0, 0, 0, 0, 0, 0])
    const features = store.groups.at(-1)
    const first = store.volume
    store.epoch = 'fedcba9876543210' as ActorId
    await components.writer.edit(id, () => ({
      changes: [{ kind: 'add', field: 'tags', key: 'sea', value: new Map() }]
    }))
    const peers = new PeerVolumes()
    const wait = new DurableCopies({ directory, volumes: store, peers, clock, ask: () => {} }).waitFor(id, 2)
    peers.noteAcknowledged(B, store.volume, store.groups.at(-1)?.to ?? 0)
    peers.noteAcknowledged(B, first, born)
    expect(await state(wait)).toBe('waiting')
    peers.noteAcknowledged(B, first, features?.to ?? 0)
    expect(await state(wait)).toBe(2)
  })
})
