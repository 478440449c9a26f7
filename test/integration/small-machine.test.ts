import { expect, test } from 'vitest'
import type { NodeId } from '../../src/domain/ids.js'
import { deferred } from '../support/deferred.js'
import { nodePair } from '../support/node-pair.js'
import { noiseBytes } from '../support/photo-maker.js'
import { settle } from '../support/simulated-clock.js'
import { SimulatedNode } from '../support/simulated-node.js'

async function* body(bytes: Uint8Array, until: Promise<void> = Promise.resolve()): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000)
  await until
}

async function photoCount(node: SimulatedNode): Promise<number> {
  let count = 0
  for await (const _ of node.services.local.directory.records('photo')) count++
  return count
}

test('a node refuses uploads beyond its bounds, and nothing is there of what was refused', async () => {
  const uploads = { uploadsInFlightBytesMax: 0, readBackBytesMax: 1, filesMax: 1, waitersMax: 0 }
  const node = new SimulatedNode({ memory: () => ({ uploads }) })
  const { photos } = await node.start()
  const sending = deferred<void>()
  const large = noiseBytes(1, 300_000)
  const first = photos.upload(body(large, sending.promise), {})
  for (let turns = 0; turns < 50; turns++) await settle()
  await expect(photos.upload(body(noiseBytes(2, 40_000)), {})).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
  expect(await photoCount(node)).toBe(0)
  sending.resolve()
  const { photoId } = await first
  expect(await photoCount(node)).toBe(1)
  const parts: Uint8Array[] = []
  for await (const part of (await photos.open(photoId, 'orig')).stream(0, large.length)) parts.push(part)
  expect(Buffer.compare(Buffer.concat(parts), large)).toBe(0)
  await node.stop()
})

test('nodes whose queues hold nothing agree all the same', async () => {
  const memory = () => ({ queues: { queueBytesMax: 0, inboxBytesMax: 0, pushedBytesMax: 0 } })
  const { clock, network, a, b } = await nodePair({ memory })
  for (const photo of [1, 2]) {
    await a.services.photos.upload(body(noiseBytes(photo, 30_000)), {})
    await clock.advance(3_000)
  }
  expect(a.services.cluster?.gossip.counts.published).toBe(0)
  expect(a.services.cluster?.gossip.counts.dropped).toBeGreaterThanOrEqual(2)
  // what is pushed is left, and pulled
  expect(network.links.traffic.get('answer volume.read')?.bytes).toBeGreaterThan(60_000)
  for (let s = 0; s < 60 && b.services.local.directory.digest() !== a.services.local.directory.digest(); s++)
    await clock.advance(1_000)
  expect(b.services.local.directory.digest()).toBe(a.services.local.directory.digest())
  await Promise.all([a.stop(), b.stop()])
})

test('a node that is slow to think answers late, one question after the other, and its timers wait', async () => {
  const { clock, a, b } = await nodePair()
  const times: number[] = []
  const ask = async (): Promise<void> => {
    const signal = new AbortController().signal
    await a.transport?.request('b' as NodeId, 'volume.heads', new Uint8Array(), signal)
    times.push(clock.monotonic())
  }
  const start = clock.monotonic()
  b.processor.costMs = 1_000
  const asked = [ask(), ask(), ask(), ask()]
  await clock.advance(50)
  expect(b.processor.backlogMs).toBeGreaterThan(0)
  expect(times).toEqual([])
  await clock.advance(6_000)
  await Promise.all(asked)
  expect(times).toEqual(times.toSorted((x, y) => x - y))
  expect((times[3] as number) - start).toBeGreaterThan(200)
  b.processor.rest()
  const before = clock.monotonic()
  const last = ask()
  await clock.advance(10)
  await last
  expect((times[4] as number) - before).toBeLessThan(10)
  await Promise.all([a.stop(), b.stop()])
})
