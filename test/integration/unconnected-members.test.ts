import { hash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import type { MemberComparison } from '../../src/cluster/peer-comparison.js'
import { SheafError } from '../../src/core/errors.js'
import { modelIdOf } from '../../src/domain/features.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { ClusterLab, type LabMember } from '../support/cluster-lab.js'
import { SeededRandom } from '../support/seeded-random.js'
import { VectorAnalyzer, vectorImage } from '../support/vector-analyzer.js'
import { unitVector } from '../support/vector-maker.js'

const DIMENSION = 8
const DIGEST = hash('sha256', 'the simulated model')
const MODEL = { id: modelIdOf(DIGEST), name: 'simulated', spaces: new Map([['image', DIMENSION]] as const) }
const never = new AbortController().signal
const UNKNOWN = '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b' as PhotoId

/** A public node `a`, and others behind address translators: each connects to `a`, and no two of them to each other. */
async function star(count: number): Promise<{ lab: ClusterLab; hub: LabMember; others: readonly LabMember[] }> {
  const lab = new ClusterLab({ analyzer: () => new VectorAnalyzer(DIGEST, { doesBacklog: true }) })
  onTestFinished(async () => {
    await lab.end()
    expect(lab.network.defects).toEqual([])
  })
  for (let i = 0; i < count; i++) lab.add()
  const [hub, ...others] = lab.members as [LabMember, ...LabMember[]]
  for (const { id } of others)
    for (const other of others) if (other.id > id) lab.network.links.partition([id], [other.id])
  for (const member of lab.members) {
    await lab.start(member)
    await lab.until(member.services.similarity?.models.use(MODEL) ?? Promise.resolve())
  }
  await lab.pass(10_000)
  await lab.converge()
  return { lab, hub, others }
}

const statesAt = ({ cluster }: LabMember): Record<string, string> =>
  Object.fromEntries(cluster.membership.members().map(({ id, state }) => [id, state]))

/** @returns whether all members were asked for a photo that nobody has */
async function isComplete(lab: ClusterLab, { services }: LabMember): Promise<unknown> {
  const read = services.photos.open(UNKNOWN, 'orig')
  const err = await lab.until(read).then(
    () => undefined,
    (reason: unknown) => reason
  )
  if (!(err instanceof SheafError) || err.code !== 'ERR_PHOTO_NOT_FOUND') throw err
  return err.details.complete
}

test('nodes that cannot connect to each other are one cluster with a node between them', async () => {
  const { lab, hub, others } = await star(4)
  for (const member of others) {
    const states = Object.fromEntries(others.map(({ id }) => [id, id === member.id ? 'alive' : 'via']))
    expect(statesAt(member)).toEqual({ ...states, [hub.id]: 'alive' })
    expect(member.node.transport?.peers()).toEqual([hub.id])
  }
  const texts = lab.members.map(({ id }) => `by ${id}`)
  const photos: PhotoId[] = []
  for (const [i, member] of lab.members.entries()) photos.push(await lab.upload(member, texts[i] as string))
  await lab.pass(5_000)
  await lab.converge()
  for (const member of lab.members) {
    for (const [i, id] of photos.entries()) expect(await lab.show(member, id)).toBe(texts[i])
    expect(await isComplete(lab, member)).toBe(true)
    const compared = await lab.until(member.cluster.comparison.run(() => {}, never))
    expect(compared.map(({ state }: MemberComparison) => state)).toEqual(['same', 'same', 'same'])
  }
})

test('copies on members that cannot connect to each other count, and so does what they lack', async () => {
  const { lab, others } = await star(4)
  await lab.pass(20_000) // each knows what all have
  for (const { services, cluster } of others) {
    const body = async function* () {
      yield Buffer.from('three copies elsewhere')
    }
    const started = lab.clock.monotonic()
    const receipt = await lab.until(services.photos.upload(body(), { filename: 'a', minCopies: 4 }))
    expect(receipt.copies).toBe(4)
    expect((await services.photos.meta(receipt.photoId)).copies).toBe(4)
    const { photos } = await services.photos.list({ limit: 1 })
    expect(photos.map(({ copies }) => copies)).toEqual([4])
    expect(lab.clock.monotonic() - started).toBeLessThan(2_000)
    await lab.pass(25_000)
    for (const { id } of lab.members) expect(cluster.lagBytes(id)).toBe(0)
  }
})

test('a search covers all shards, those included that only members out of reach of each other hold', async () => {
  const { lab, hub, others } = await star(5)
  const random = new SeededRandom(7)
  const vectors = Array.from({ length: 40 }, () => unitVector(random, DIMENSION))
  for (const [i, vector] of vectors.entries()) {
    const { services } = lab.members[i % lab.members.length] as LabMember
    const body = async function* () {
      yield vectorImage(vector)
    }
    await lab.until(services.photos.upload(body(), { contentType: 'image/jpeg' }))
  }
  const isSettled = ({ services }: LabMember): boolean =>
    services.similarity?.status().pending === 0 && services.local.directory.digest() === lab.digest(hub)
  while (!lab.members.every(isSettled)) await lab.pass(1_000)
  await lab.leap(11 * 60_000) // until those that began alone let go of what is others' now
  await lab.pass(10_000)
  const [query] = vectors as [Float32Array]
  for (const { id, services, cluster } of others) {
    const { search, models } = services.similarity ?? expect.unreachable('photos are looked at')
    const holders = models.holders(MODEL.id)
    const near = new Set([id, hub.id].flatMap(node => [...(holders.get(node) ?? [])]))
    expect(near.size).toBeLessThan(64) // the rest is on members that this one cannot connect to
    const body = async function* () {
      yield vectorImage(query)
    }
    const found = await lab.until(search.byImage(body(), () => ({ k: 1_000 }), never))
    expect(found.coverage.fraction).toBe(1)
    expect(found.results.length).toBeGreaterThanOrEqual(39) // copies of the question are left out
    expect(cluster.membership.present()).toHaveLength(4)
  }
})

test('without the node between them they miss each other, and say so', async () => {
  const { lab, hub, others } = await star(3)
  const [b, c] = others as [LabMember, LabMember]
  lab.network.links.partition([hub.id], [b.id])
  await lab.pass(10_000)
  expect(statesAt(b)).toEqual({ a: 'down', b: 'alive', c: 'down' })
  expect(await isComplete(lab, b)).toBe(false)
  const photo = await lab.upload(b, 'alone')
  expect(await lab.show(c, photo)).toBe('ERR_PHOTO_NOT_FOUND')
  lab.network.links.heal()
  lab.network.links.partition([b.id], [c.id])
  await lab.pass(10_000)
  await lab.converge()
  expect(statesAt(b)).toEqual({ a: 'alive', b: 'alive', c: 'via' })
  expect(await lab.show(c, photo)).toBe('alone')
})

test('one that leaves hands over to the node between, and all know that it has left', async () => {
  const { lab, others } = await star(3)
  const [b, c] = others as [LabMember, LabMember]
  const photo = await lab.upload(b, 'of the leaver')
  await lab.until(b.cluster.decommission.leave(() => {}, never))
  await lab.pass(5_000)
  expect(statesAt(c)).toEqual({ a: 'alive', b: 'left', c: 'alive' })
  await lab.stop(b)
  expect(await lab.show(c, photo)).toBe('of the leaver')
})
