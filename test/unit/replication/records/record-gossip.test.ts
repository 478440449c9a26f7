import { beforeEach, describe, expect, it } from 'vitest'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import type { DirectoryRecord } from '../../../../src/domain/record.js'
import { encodeRecord } from '../../../../src/domain/record-codec.js'
import { encodeMessage, Message } from '../../../../src/network/rpc/message.js'
import type { Transport } from '../../../../src/network/transport.js'
import { RecordGossip } from '../../../../src/replication/records/record-gossip.js'
import { RecordLog } from '../../directory/photo-log.js'
import { Replica, World } from './replica.js'

const KIB = 1024

let world: World
let a: Replica
let b: Replica
let c: Replica
let warnings: object[]

beforeEach(async () => {
  world = new World()
  warnings = []
  const log: Logger = { ...silentLog, warn: fields => warnings.push(fields) }
  a = await Replica.start(world, 'a')
  b = await Replica.start(world, 'b', { log })
  c = await Replica.start(world, 'c')
  for (const replica of [a, b, c]) await replica.gossip.start()
  await world.connect(a, b)
  await world.connect(b, c)
  await world.connect(c, a)
})

/** @returns the messages that `a` publishes from now on, as they come */
function published(): Uint8Array[] {
  const bodies: Uint8Array[] = []
  const publish = a.transport.publish.bind(a.transport)
  a.transport.publish = (topic, body) => {
    bodies.push(body)
    publish(topic, body)
  }
  return bodies
}

const message = (records: readonly Uint8Array[], version = 1): Uint8Array =>
  encodeMessage({ version, sender: 'a', records })

const recordsIn = (body: Uint8Array | undefined): Uint8Array[] =>
  Message.decode(body ?? new Uint8Array()).byteStrings('records', 100)

describe('record gossip', () => {
  it('brings own writes to all peers within milliseconds, in one message', async () => {
    const bodies = published()
    for (let i = 0; i < 3; i++) await a.births(10)
    await world.clock.advance(4)
    expect(bodies).toHaveLength(0)
    await world.clock.advance(1)
    expect(bodies).toHaveLength(1)
    await world.clock.advance(5)
    for (const replica of [b, c]) {
      expect(replica.directory.digest()).toBe(a.directory.digest())
      expect(replica.directory.count('all')).toBe(30)
      expect(replica.gossip.counts).toEqual({ published: 0, dropped: 0, merged: 30, refused: 0 })
    }
    const sent = Message.decode(bodies[0] as Uint8Array)
    expect([sent.uint('version'), sent.text('sender', 10), recordsIn(bodies[0]).length]).toEqual([1, 'a', 30])
  })

  it('announces the merged state after an own write, removals too, and only the latest state of a record', async () => {
    const [born] = await a.births(1)
    await world.clock.advance(20)
    const id = born?.id ?? ''
    const bodies = published()
    await a.write(a.writer.edit(id, { tags: { add: ['x'] } }))
    await a.write(a.writer.edit(id, { tags: { remove: ['x'] } }))
    await world.clock.advance(20)
    expect(bodies.flatMap(recordsIn)).toEqual([encodeRecord(a.writer.require(id))])
    expect(b.directory.digest()).toBe(a.directory.digest())
    await a.write(a.writer.edit(id, { tags: { add: ['y'] } }))
    await world.clock.advance(20)
    expect(b.directory.count('tag\0y')).toBe(1)
    await a.write(a.writer.edit(id, { tags: { remove: ['y'] } }))
    await world.clock.advance(20)
    expect(b.directory.count('tag\0y')).toBe(0)
  })

  it('does not announce records from others, nor needles that compaction moves', async () => {
    const bodies = published()
    const others = [b.writer.birth(), b.writer.birth()]
    await a.directory.merge(others.map(encodeRecord))
    await a.directory.apply(new RecordLog(99).append(...others, b.writer.birth()).group())
    await world.clock.advance(20)
    expect(bodies).toHaveLength(0)
    const [born] = (await a.births(1)) as [DirectoryRecord]
    await world.clock.advance(20)
    expect(bodies).toHaveLength(1)
    await a.write(born) // the same record once more
    await world.clock.advance(20)
    expect(bodies).toHaveLength(1)
  })

  it('announces an own write that another node’s write follows in the same batch', async () => {
    const [born] = (await a.births(1)) as [DirectoryRecord]
    await world.clock.advance(20)
    const bodies = published()
    const mine = a.writer.edit(born.id, { tags: { add: ['mine'] } })
    b.writer.learn(born)
    const theirs = b.writer.edit(born.id, { tags: { add: ['theirs'] } })
    let open = (): void => {}
    a.source.gate = new Promise(resolve => {
      open = resolve
    })
    const first = a.births(1) // what comes while it is written shares the next batch
    const shared = [a.write(mine), a.directory.apply(new RecordLog(99).append(theirs).group())]
    open()
    await Promise.all([first, ...shared])
    await world.clock.advance(20)
    a.writer.learn(theirs)
    expect(bodies.flatMap(recordsIn)).toContainEqual(encodeRecord(a.writer.require(born.id)))
    expect([b.directory.count('tag\0mine'), b.directory.count('tag\0theirs')]).toEqual([1, 1])
  })

  it('splits large batches, and leaves out records that are larger than a message', async () => {
    const bodies = published()
    const large = Array.from({ length: 5 }, () => a.writer.birth({ caption: 'x'.repeat(100 * KIB) }))
    const huge = a.writer.birth({ caption: 'x'.repeat(300 * KIB) })
    await a.write(...large, huge)
    await world.clock.advance(20)
    expect(bodies.map(body => body.length > 256 * KIB)).toEqual([false, false, false])
    expect(a.gossip.counts).toMatchObject({ published: 5, dropped: 1 })
    expect(b.directory.count('all')).toBe(5)
  })

  it('drops the oldest records when the queue is full', async () => {
    const records = Array.from({ length: 50 }, () => a.writer.birth({ caption: 'x'.repeat(100 * KIB) }))
    await a.write(...records)
    await world.clock.advance(20)
    const { published: sent, dropped } = a.gossip.counts
    expect(sent + dropped).toBe(50)
    expect(sent).toBeGreaterThanOrEqual(39)
    expect(sent).toBeLessThan(42)
    const [first, last] = await b.directory.getMany([records[0] as DirectoryRecord, records[49] as DirectoryRecord])
    expect([first, last?.record.id]).toEqual([undefined, records[49]?.id])
  })

  it('drops what a smaller queue has no room for, and refuses what a smaller inbox has none for', async () => {
    const gossip = { queueBytesMax: 150 * KIB, inboxBytesMax: 50 * KIB }
    world = new World()
    a = await Replica.start(world, 'a', { gossip })
    b = await Replica.start(world, 'b', { gossip })
    for (const replica of [a, b]) await replica.gossip.start()
    await world.connect(a, b)
    await a.write(...Array.from({ length: 2 }, () => a.writer.birth({ caption: 'x'.repeat(100 * KIB) })))
    await world.clock.advance(20)
    expect(a.gossip.counts).toMatchObject({ published: 1, dropped: 1 })
    expect(b.gossip.counts).toMatchObject({ merged: 0, refused: 1 })
  })

  it('does not drop because one record changes often', async () => {
    const [born] = (await a.births(1)) as [DirectoryRecord]
    for (let i = 0; i < 60; i++) await a.write(a.writer.edit(born.id, { caption: `${i} ${'x'.repeat(100 * KIB)}` }))
    await world.clock.advance(20)
    expect(a.gossip.counts).toMatchObject({ published: 1, dropped: 0 })
    expect(b.directory.digest()).toBe(a.directory.digest())
  })

  it('queues nothing while it has no peers', async () => {
    for (const peer of [b, c]) await a.transport.hangUp(peer.id)
    const bodies = published()
    await a.births(5)
    await world.connect(a, b)
    await world.clock.advance(20)
    expect([bodies.length, a.gossip.counts.dropped]).toEqual([0, 0])
  })

  it('ignores messages that are malformed or of another version, and warns once a minute and peer', async () => {
    const good = encodeRecord(a.writer.birth())
    const bad = [
      Uint8Array.of(0xff),
      encodeMessage({}),
      encodeMessage({ version: 1, sender: 'a', records: [1] }),
      encodeMessage({ version: 1, records: [good] }),
      message([good], 2),
      message([good, Uint8Array.of(1, 2, 3)])
    ]
    for (const body of bad) a.transport.publish('records', body)
    await world.clock.advance(20)
    expect(b.directory.count('all')).toBe(0)
    expect(b.gossip.counts).toMatchObject({ merged: 0, refused: bad.length })
    expect(warnings).toMatchObject([{ err: expect.any(Error), peer: 'a' }])
    c.transport.publish('records', Uint8Array.of(0xff))
    await world.clock.advance(20)
    expect(warnings).toMatchObject([{ peer: 'a' }, { peer: 'c' }])
    await world.clock.advance(60_000)
    a.transport.publish('records', message([Uint8Array.of(1)]))
    await world.clock.advance(20)
    expect(warnings).toHaveLength(3)
    a.transport.publish('records', message([good]))
    await world.clock.advance(20)
    expect(b.directory.count('all')).toBe(1)
  })

  it('limits the records from each peer, independently of others', async () => {
    const body = message(Array.from({ length: 500 }, () => encodeRecord(a.writer.birth())))
    for (let i = 0; i < 60; i++) {
      a.transport.publish('records', Uint8Array.from(body))
      await world.clock.advance(5)
    }
    // 20 000 at once, then 4 000 a second for 0.3 s
    const { merged, refused } = b.gossip.counts
    expect(merged).toBeGreaterThanOrEqual(20_500)
    expect(merged).toBeLessThanOrEqual(21_500)
    expect(refused).toBe(60 - merged / 500)
    c.transport.publish('records', message([encodeRecord(c.writer.birth())]))
    await world.clock.advance(20)
    expect(b.gossip.counts.merged).toBe(merged + 1)
    await world.clock.advance(1_000)
    a.transport.publish('records', body)
    await world.clock.advance(20)
    expect(b.gossip.counts.merged).toBe(merged + 501)
  })

  it('drops messages while too many bytes wait to be merged', async () => {
    let open = (): void => {}
    b.source.gate = new Promise(resolve => {
      open = resolve
    })
    const large = message([encodeRecord(a.writer.birth({ caption: 'x'.repeat(1_000 * KIB) }))])
    for (let i = 0; i < 12; i++) a.transport.publish('records', Uint8Array.from(large))
    await world.clock.advance(20)
    expect(b.gossip.counts.refused).toBeGreaterThan(2)
    open()
    await world.clock.advance(20)
    const { merged, refused } = b.gossip.counts
    expect(merged + refused).toBe(12)
    a.transport.publish('records', Uint8Array.from(large))
    await world.clock.advance(20)
    expect(b.gossip.counts.merged).toBe(merged + 1)
  })

  it('recovers when the directory was unavailable for a while', async () => {
    await b.directory.stop()
    await a.births(1)
    await world.clock.advance(20)
    expect(b.gossip.counts.refused).toBe(1)
    await b.directory.start()
    await a.births(1)
    await world.clock.advance(20)
    expect(b.directory.count('all')).toBe(1)
  })

  it('sends its queue when it stops, and then neither sends nor receives', async () => {
    await a.births(1)
    await a.gossip.stop()
    await world.clock.advance(20)
    expect(b.directory.count('all')).toBe(1)
    await a.births(1)
    await b.births(1)
    await world.clock.advance(20)
    expect([a.directory.count('all'), b.directory.count('all')]).toEqual([2, 2])
    expect(world.clock.pending).toBe(0)
  })

  it('ignores its own messages on a transport that echoes', async () => {
    let hear: (from: NodeId, body: Uint8Array) => void = () => {}
    const transport: Pick<Transport, 'self' | 'version' | 'versionOf' | 'peers' | 'publish' | 'subscribe'> = {
      self: 'x' as NodeId,
      version: a.transport.version,
      versionOf: () => a.transport.version,
      peers: () => ['y' as NodeId],
      publish: (_topic, body) => hear('x' as NodeId, body),
      subscribe: (_topic, handler) => {
        hear = handler
      }
    }
    const { directory, log } = a
    const { clock } = world
    const gossip = new RecordGossip({ transport, directory, clock, log: silentLog, isOwn: id => id === log.volume })
    await gossip.start()
    await a.births(1)
    await clock.advance(20)
    expect(gossip.counts).toMatchObject({ published: 1, merged: 0 })
    await gossip.stop()
  })
})

describe('gossip between nodes of two versions', () => {
  it('has the greatest version that all connected peers know', async () => {
    world = new World()
    const ofGossip = (max: number) => ({ version: { gossip: { min: 1, max } } })
    a = await Replica.start(world, 'a', ofGossip(3))
    b = await Replica.start(world, 'b', ofGossip(2))
    c = await Replica.start(world, 'c', ofGossip(3))
    for (const replica of [a, b, c]) await replica.gossip.start()
    const bodies = published()
    const versions = async (): Promise<number[]> => {
      await a.births(1)
      await world.clock.advance(50)
      return bodies.splice(0).map(body => Message.decode(body).uint('version'))
    }
    await world.connect(a, c)
    expect(await versions()).toEqual([3])
    await world.connect(a, b)
    expect(await versions()).toEqual([2])
    expect([b.directory.count('all'), c.directory.count('all')]).toEqual([1, 2])
  })
})
