import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../../src/core/log.js'
import type { DirectoryRecord } from '../../../../src/domain/record.js'
import { encodeRecord, GRAVE_GENERATION_MAX } from '../../../../src/domain/record-codec.js'
import { Message } from '../../../../src/network/rpc/message.js'
import { AntiEntropy } from '../../../../src/replication/records/anti-entropy.js'
import { answerGet, answerLeaves } from '../../../../src/replication/records/anti-entropy-answers.js'
import {
  decodeGetAnswer,
  decodeGetRequest,
  decodeLeavesAnswer,
  decodeLeavesRequest,
  encodeGetRequest,
  encodeLeavesRequest,
  encodeNodesRequest,
  encodePutRequest,
  type Leaf
} from '../../../../src/replication/records/anti-entropy-messages.js'
import { TreeReplica } from '../../../../src/replication/records/tree-replica.js'
import { modelOf } from '../../directory/directory-model.js'
import { PhotoWriter } from '../../directory/photo-log.js'
import { Replica, type ReplicaInit, World } from './replica.js'

let world: World
let a: Replica
let b: Replica

async function pair(init: ReplicaInit = {}, seed = 1): Promise<void> {
  world = new World(seed)
  a = await Replica.start(world, 'a', init)
  b = await Replica.start(world, 'b', init)
  await world.connect(a, b)
}

beforeEach(() => pair())

const never = new AbortController().signal
const exchange = (from = a, to = b): Promise<number> => world.during(from.antiEntropy.exchange(to.id, never))

/** Puts the records into both directories. */
async function share(records: readonly DirectoryRecord[]): Promise<void> {
  for (const replica of [a, b]) {
    for (const record of records) replica.writer.learn(record)
    await replica.directory.merge(records.map(encodeRecord))
  }
}

const editsBy = (replica: Replica, records: readonly DirectoryRecord[], label: string): DirectoryRecord[] =>
  records.map(({ id }) => replica.writer.edit(id, { tags: { add: [label] } }))

async function expectSame(...replicas: readonly Replica[]): Promise<void> {
  for (const { directory } of replicas) {
    expect(directory.digest()).toBe(replicas[0]?.directory.digest())
    expect(await directory.verify()).toEqual([])
  }
}

describe('an exchange', () => {
  it('makes two directories equal, whichever node begins', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 60 }), fc.boolean(), async (seed, count, reverse) => {
        await pair({}, seed)
        const { random } = world
        const records = await a.births(count)
        const written = [...records]
        for (const record of records) {
          if (random.chance(0.3)) continue
          b.writer.learn(record)
          const theirs = random.chance(0.5) ? [record] : editsBy(b, [record], 'b')
          await b.directory.merge(theirs.map(encodeRecord))
          written.push(...theirs)
          if (random.chance(0.7)) continue
          const mine = editsBy(a, [record], 'a')
          await a.write(...mine)
          written.push(...mine)
        }
        written.push(...(await b.births(random.below(20))))
        const album = b.writer.write({ kind: 'album', id: 'Straße' }, [{ kind: 'version', value: new Map() }])
        await b.write(album)
        await (reverse ? exchange(b, a) : exchange())
        await expectSame(a, b)
        expect(a.directory.digest()).toBe(modelOf([...written, album]).root)
        expect(await exchange()).toBe(0)
      }),
      { numRuns: 25 }
    )
  })

  it('returns how many records it changed, on both sides together', async () => {
    const shared = await a.births(50)
    await share(shared)
    await a.births(3)
    await b.births(4)
    await a.write(...editsBy(a, shared.slice(0, 5), 'a'))
    await b.write(...editsBy(b, shared.slice(4, 10), 'b'))
    // 7 births, 4 edits of a and 5 of b; the one that both edited changes at both
    expect(await exchange()).toBe(3 + 4 + 4 + 5 + 2)
    await expectSame(a, b)
  })

  it('lists graves, and the list is all that a node without them needs, whichever begins', async () => {
    for (const reverse of [false, true]) {
      await pair()
      const graves = Array.from({ length: 3_000 }, (_, i) => ({
        kind: 'photo',
        id: a.writer.newId(),
        generation: i % 3
      }))
      await a.directory.mergeGraves(graves)
      const requests: string[] = []
      for (const { transport } of [a, b]) {
        const request = transport.request.bind(transport)
        transport.request = (peer, method, body, signal) => {
          requests.push(method)
          return request(peer, method, body, signal)
        }
      }
      const senders = new Set<unknown>()
      const mergeGraves = b.directory.mergeGraves.bind(b.directory)
      b.directory.mergeGraves = (more, from) => {
        if (more.length > 0) senders.add(from)
        return mergeGraves(more, from)
      }
      expect(await (reverse ? exchange(b, a) : exchange())).toBe(3_000)
      await expectSame(a, b)
      expect(new Set(requests)).toEqual(new Set(['tree.nodes', 'tree.leaves', ...(reverse ? [] : ['records.put'])]))
      expect([...senders]).toEqual(['a'])
    }
  })

  it('passes graves and the lives after them both ways', async () => {
    const [dead, undone, ...rest] = (await a.births(20)) as [DirectoryRecord, DirectoryRecord, ...DirectoryRecord[]]
    await share([dead, undone, ...rest])
    await a.write(a.writer.delete(undone.id), a.writer.undelete(undone.id))
    await b.directory.mergeGraves([dead, undone].map(({ kind, id }) => ({ kind, id, generation: 0 })))
    await a.directory.mergeGraves([{ kind: 'photo', id: rest[0]?.id ?? '', generation: 2 }])
    await b.directory.mergeGraves([{ kind: 'photo', id: rest[0]?.id ?? '', generation: 5 }])
    await exchange()
    await expectSame(a, b)
    for (const { directory } of [a, b]) {
      expect(directory.getSync(dead)).toBeUndefined()
      expect(directory.getSync(undone)?.record.buried).toBe(1)
      expect(directory.lookUp({ kind: 'photo', id: rest[0]?.id ?? '' }).grave?.generation).toBe(5)
    }
    expect(await exchange(b, a)).toBe(0)
  })

  it('ends at a grave that nobody can have written, and nothing of it is merged', async () => {
    const beyond = { kind: 'photo', id: a.writer.newId() as string, generation: GRAVE_GENERATION_MAX + 1 }
    await b.births(1)
    const { leaves } = b.directory
    b.directory.leaves = async function* (buckets) {
      for await (const own of leaves.call(b.directory, buckets))
        yield [...own, { key: beyond, grave: { generation: beyond.generation, isLogged: false } }]
    }
    await expect(exchange()).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
    expect(a.directory.lookUp(beyond)).toEqual({ stored: undefined, grave: undefined })
    const put = b.transport.request(a.id, 'records.put', encodePutRequest({ records: [], graves: [beyond] }), never)
    await expect(world.during(put)).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
    expect(a.directory.lookUp(beyond).grave).toBeUndefined()
  })

  it('tells that it has compared all, and only then', async () => {
    let rounds = 0
    const directory = a.directory
    const { antiEntropy } = a
    await antiEntropy.stop()
    const watched = new AntiEntropy(
      {
        transport: a.transport,
        directory,
        clock: world.clock,
        random: world.random,
        log: silentLog,
        onRound: () => rounds++
      },
      {}
    )
    await b.births(3)
    await world.during(watched.exchange(b.id, never))
    expect(rounds).toBe(1)
    expect(watched.lastRoundAgeMs).toBeLessThan(100)
    await b.stop()
    await expect(world.during(watched.exchange(b.id, never))).rejects.toThrow()
    expect(rounds).toBe(1)
    expect(watched.counts).toEqual({ complete: 1, cutShort: 0, failed: 1, changedHere: 3, changedThere: 0 })
    await world.clock.advance(5_000)
    expect(watched.lastRoundAgeMs).toBeGreaterThanOrEqual(5_000)
    await watched.stop()
  })

  it('between equal directories takes one request', async () => {
    await share(await a.births(200))
    const [messages, bytes] = [world.messages(''), world.bytes()]
    expect(await exchange()).toBe(0)
    expect(world.messages('') - messages).toBe(2)
    expect(world.bytes() - bytes).toBeLessThan(250)
  })

  it('costs in proportion to the differences, not to the size', async () => {
    const measured: number[] = []
    for (const count of [500, 4_000]) {
      await pair()
      await share(Array.from({ length: count }, () => a.writer.birth()))
      await a.births(5)
      await b.births(5)
      const before = world.bytes()
      expect(await exchange()).toBe(10)
      measured.push(world.bytes() - before)
    }
    const [few = 0, many = 0] = measured
    expect(few).toBeLessThan(14_000)
    expect(many).toBeLessThan(few * 1.3)
  })

  it('only fetches when only the peer has changes, and only sends when only this node has', async () => {
    const shared = await a.births(100)
    await share(shared)
    await b.write(...editsBy(b, shared.slice(0, 10), 'b'))
    expect(await exchange()).toBe(10)
    expect(world.messages('request records.put')).toBe(0)
    await a.births(10)
    const gets = world.messages('request records.get')
    expect(await exchange()).toBe(10)
    expect([world.messages('request records.get'), world.messages('request records.put')]).toEqual([gets, 1])
    await expectSame(a, b)
  })

  it('fills an empty directory from either side, in bounded messages', async () => {
    await a.births(700)
    expect(await exchange(b, a)).toBe(700)
    await expectSame(a, b)
    expect(world.messages('request records.get')).toBeGreaterThanOrEqual(3)
    await pair()
    await a.births(700)
    expect(await exchange(a, b)).toBe(700)
    await expectSame(a, b)
  })

  it('ends under constant writes, and one after them makes both equal', async () => {
    await share(await a.births(300))
    let exchanging = true
    const storm = async (replica: Replica): Promise<void> => {
      while (exchanging) {
        await replica.births(3)
        await world.clock.sleep(1)
      }
    }
    const storms = [storm(a), storm(b)]
    const messages = world.messages('request')
    await world.during(a.antiEntropy.exchange(b.id, never), 2_000)
    await world.during(b.antiEntropy.exchange(a.id, never), 2_000)
    expect(world.messages('request') - messages).toBeLessThan(100)
    exchanging = false
    await world.during(Promise.all(storms))
    await exchange()
    await expectSame(a, b)
  })

  it('that is aborted keeps what it moved; the next continues from there', async () => {
    await a.births(600)
    await b.births(600)
    const abort = new AbortController()
    const aborted = a.antiEntropy.exchange(b.id, abort.signal)
    aborted.catch(() => {})
    while (a.directory.count('all') < 800) await world.clock.advance(1)
    abort.abort(new Error('enough'))
    await expect(world.during(aborted)).rejects.toThrow('enough')
    await world.clock.advance(50)
    const had = a.directory.count('all') + b.directory.count('all')
    expect(had).toBeLessThan(2_400)
    expect(await exchange()).toBe(2_400 - had)
    await expectSame(a, b)
  })

  it('ends with an error when the connection does, and can be repeated', async () => {
    await a.births(900)
    const cut = a.antiEntropy.exchange(b.id, never)
    cut.catch(() => {})
    while (b.directory.count('all') < 200) await world.clock.advance(1)
    await a.transport.hangUp(b.id)
    await expect(world.during(cut)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    await world.connect(a, b)
    await exchange()
    await expectSame(a, b)
  })

  it('gives up on a peer that does not answer', async () => {
    await a.births(1)
    b.transport.handle('tree.nodes', () => new Promise(() => {}))
    const started = world.clock.monotonic()
    await expect(exchange()).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(world.clock.monotonic() - started).toBeLessThan(16_000)
  })

  it('moves no more records in a second than it may', async () => {
    await pair({ recordsPerSecondMax: 100 })
    await a.births(500)
    const started = world.clock.monotonic()
    await exchange(b, a)
    const seconds = (world.clock.monotonic() - started) / 1_000
    expect(seconds).toBeGreaterThan(3.9) // 100 at once, 400 at 100 a second
    expect(seconds).toBeLessThan(6)
    await expectSame(a, b)
  })

  it('ends when its time is over; further exchanges move the rest', async () => {
    await pair({ recordsPerSecondMax: 10 })
    await a.births(1_000)
    const first = await exchange(b, a)
    expect(first).toBeGreaterThan(200)
    expect(first).toBeLessThan(900)
    expect(b.directory.count('all')).toBe(first)
    expect(b.antiEntropy.counts).toMatchObject({ complete: 0, cutShort: 1, failed: 0, changedHere: first })
    for (let next = first; next > 0; ) next = await exchange(b, a)
    await expectSame(a, b)
  })

  it('waits for a running exchange', async () => {
    const c = await Replica.start(world, 'c')
    await world.connect(a, c)
    await a.births(500)
    let running = 0
    let together = 0
    for (const peer of [b, c]) {
      const merge = peer.directory.merge.bind(peer.directory)
      peer.directory.merge = async records => {
        running++
        together = Math.max(together, running)
        await world.clock.sleep(5)
        const changed = await merge(records)
        running--
        return changed
      }
    }
    await world.during(Promise.all([a.antiEntropy.exchange(b.id, never), a.antiEntropy.exchange(c.id, never)]))
    expect(together).toBe(1)
    await expectSame(a, b, c)
  })

  it('skips records that cannot be decoded here', async () => {
    const writer = new PhotoWriter(9)
    const good = Array.from({ length: 7 }, () => encodeRecord(writer.birth()))
    const warnings: object[] = []
    const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) }
    const replica = new TreeReplica({ directory: a.directory, log })
    expect(await replica.merge([...good.slice(0, 3), Uint8Array.of(2), ...good.slice(3), Uint8Array.of(1)], b.id)).toBe(
      7
    )
    expect(a.directory.count('all')).toBe(7)
    expect(warnings).toHaveLength(2)
    a.source.batchError = new Error('no disk')
    const failing = replica.merge([encodeRecord(writer.birth())], b.id)
    await expect(failing).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
  })

  it('leaves out a record that is too large for a message', async () => {
    const huge = a.writer.birth({ caption: 'x'.repeat(5 * 1024 * 1024) })
    await a.write(huge)
    await a.births(3)
    expect(await exchange()).toBe(3)
    expect(await exchange(b, a)).toBe(0)
    expect(b.directory.count('all')).toBe(3)
  })

  it('moves large records, each in its own message if necessary', async () => {
    for (const replica of [a, b]) {
      for (let i = 0; i < 4; i++) await replica.write(replica.writer.birth({ caption: 'x'.repeat(900 * 1024) }))
      await replica.write(replica.writer.birth({ caption: 'x'.repeat(3 * 1024 * 1024) }))
    }
    expect(await exchange()).toBe(10)
    await expectSame(a, b)
  })

  it('asks again for the rest when the peer answers only a part', async () => {
    await a.births(60)
    await b.births(60)
    const replica = new TreeReplica({ directory: b.directory, log: silentLog })
    b.transport.handle('tree.leaves', (_peer, body) => {
      const [first = 0] = decodeLeavesRequest(body)
      return answerLeaves(replica, encodeLeavesRequest([first]))
    })
    b.transport.handle('records.get', (_peer, body) => {
      const [first] = decodeGetRequest(body)
      return answerGet(replica, encodeGetRequest(first === undefined ? [] : [first]))
    })
    expect(await exchange()).toBe(120)
    await expectSame(a, b)
  })

  it('answers at most what a message holds, but at least one bucket or record', async () => {
    const key = { kind: 'k'.repeat(60), id: 'i'.repeat(1_000) }
    const leaves = Array.from({ length: 25 }, () => ({ key, digest: new Uint8Array(8) }))
    const record = new Uint8Array(600 * 1024)
    const each = (inBucket: Leaf[]) =>
      async function* (buckets: readonly number[]) {
        for (const _ of buckets) yield inBucket
      }
    const replica = { leaves: each(leaves), records: async () => [record, undefined, record, record] }
    const asked = encodeLeavesRequest([1, 2, 3, 4, 5, 6])
    expect(decodeLeavesAnswer(await answerLeaves(replica as never, asked)).map(({ length }) => length)).toEqual([
      25, 25
    ])
    const answer = decodeGetAnswer(await answerGet(replica as never, encodeGetRequest([key, key, key, key])), 4)
    expect([answer.count, ...answer.records.map(({ length }) => length)]).toEqual([2, record.length])
    const alone = { ...replica, leaves: each([...leaves, ...leaves, ...leaves]) }
    expect(decodeLeavesAnswer(await answerLeaves(alone as never, asked)).map(({ length }) => length)).toEqual([75])
  })

  it('refuses malformed answers and requests', async () => {
    await a.births(1)
    for (const answer of [Uint8Array.of(0xff), new Uint8Array()]) {
      b.transport.handle('tree.leaves', async () => answer)
      await expect(exchange()).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
    }
    const asking = a.transport.request(b.id, 'tree.nodes', Uint8Array.of(1), never)
    await expect(world.during(asking)).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
    expect(world.network.defects).toEqual([])
  })

  it('fails without harm while the directory of a peer is stopped', async () => {
    await a.births(10)
    await b.directory.stop()
    await expect(exchange()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    await b.directory.start()
    await exchange()
    await expectSame(a, b)
  })
})

describe('anti-entropy', () => {
  const exchanges = (): number => world.messages('request tree.nodes')

  async function start(...replicas: readonly Replica[]): Promise<void> {
    for (const { antiEntropy } of replicas) await antiEntropy.start()
  }

  /** Delivers the digests of heartbeats, twice a second. */
  async function beats(seconds: number, ...replicas: readonly Replica[]): Promise<void> {
    for (let i = 0; i < seconds * 2; i++) {
      for (const from of replicas) {
        for (const to of replicas) if (to !== from) to.antiEntropy.noteDigest(from.id, from.directory.digest())
      }
      await world.clock.advance(500)
    }
  }

  it('runs when a peer connects: one exchange for both', async () => {
    await pair()
    await start(a, b)
    await world.clock.advance(100_000) // lets everything that is due happen
    await a.transport.hangUp(b.id)
    await a.births(20)
    await b.births(20)
    const before = exchanges()
    const request = b.transport.request.bind(b.transport)
    let asked = 0
    b.transport.request = (...question) => {
      asked++
      return request(...question)
    }
    await world.connect(a, b)
    await world.clock.advance(400)
    await expectSame(a, b)
    expect(asked).toBe(0)
    const needed = exchanges() - before
    await world.clock.advance(10_000)
    expect(exchanges() - before).toBe(needed)
  })

  it('compares with peers that connected before it started', async () => {
    await a.births(5)
    await start(b)
    await world.clock.advance(2_000)
    await expectSame(a, b)
  })

  it('compares with every peer about once a minute, even while digests agree', async () => {
    await start(a)
    await world.clock.advance(1_000)
    const before = exchanges()
    await world.clock.advance(600_000)
    // half a minute to one and a half, in ten minutes
    expect(exchanges() - before).toBeGreaterThanOrEqual(6)
    expect(exchanges() - before).toBeLessThanOrEqual(20)
    await a.births(1)
    await world.clock.advance(91_000)
    await expectSame(a, b)
  })

  it('repairs when the digests of heartbeats have differed for more than a second', async () => {
    await start(a, b)
    await world.clock.advance(100_000)
    await a.births(3)
    const before = exchanges()
    await beats(1, a, b)
    expect(exchanges() - before).toBe(0)
    await beats(2, a, b)
    await expectSame(a, b)
  })

  it('ignores a difference of a moment', async () => {
    await start(a, b)
    await world.clock.advance(1_000)
    const before = exchanges()
    for (let i = 0; i < 10; i++) {
      const [born] = (await a.births(1)) as [DirectoryRecord]
      await beats(0.5, a, b)
      await b.directory.merge([encodeRecord(born)])
      await beats(0.5, a, b)
    }
    expect(exchanges() - before).toBe(0)
  })

  it('backs off while exchanges change nothing, and not after one that did', async () => {
    await pair({ intervalMs: 600_000 })
    await start(a)
    await world.clock.advance(1_000)
    // A record that no message can hold keeps the two different.
    await a.write(a.writer.birth({ caption: 'x'.repeat(5 * 1024 * 1024) }))
    const before = world.messages('request tree.leaves')
    const looks: number[] = []
    for (let second = 0; second < 120; second++) {
      await beats(1, a, b)
      looks.push(world.messages('request tree.leaves') - before)
    }
    expect(looks[119]).toBeGreaterThanOrEqual(5)
    expect(looks[119]).toBeLessThanOrEqual(8)
    await beats(130, a, b)
    await a.births(1)
    await beats(260, a, b)
    expect(b.directory.count('all')).toBe(1)
    await a.births(1)
    await beats(4, a, b)
    expect(b.directory.count('all')).toBe(2)
  })

  it('makes many nodes equal without gossip, also after a partition', async () => {
    world = new World(7)
    const replicas = await Promise.all(['a', 'b', 'c', 'd'].map(id => Replica.start(world, id)))
    await start(...replicas)
    for (const [i, replica] of replicas.entries()) {
      for (const other of replicas.slice(i + 1)) await world.connect(replica, other)
    }
    for (const replica of replicas) await replica.births(20)
    await beats(15, ...replicas)
    await expectSame(...replicas)
    expect(replicas[0]?.directory.count('all')).toBe(80)
    const [first, second, third, fourth] = replicas.map(({ id }) => id)
    world.network.links.partition([first, second] as never, [third, fourth] as never)
    await world.clock.advance(10_000)
    for (const replica of replicas) await replica.births(20)
    world.network.links.heal()
    for (const [i, replica] of replicas.entries()) {
      for (const other of replicas.slice(i + 1)) await world.connect(replica, other)
    }
    await beats(15, ...replicas)
    await expectSame(...replicas)
    expect(replicas[0]?.directory.count('all')).toBe(160)
    for (const replica of replicas) await replica.stop()
  })

  it('recovers from failures of its own directory and of the peer', async () => {
    await start(a, b)
    await world.clock.advance(1_000)
    await b.directory.stop()
    await a.births(2)
    await world.clock.advance(100_000)
    await b.directory.start()
    await beats(70, a, b)
    await expectSame(a, b)
    a.source.batchError = new Error('no disk')
    await b.births(2)
    await beats(5, b, a).catch(() => {}) // a's digest cannot be asked for
    a.source.batchError = undefined
    await a.directory.reopen()
    const replayed = a.log.needles.length > 0 ? a.directory.apply(a.log.group()) : undefined
    await replayed
    a.directory.complete()
    await beats(70, a, b)
    await expectSame(a, b)
  })

  it('stops in the middle of an exchange, and leaves no timer behind', async () => {
    await pair({ recordsPerSecondMax: 100 })
    await a.births(1_000)
    await start(a, b)
    await world.clock.advance(2_000)
    expect(b.directory.count('all')).toBeGreaterThan(100)
    const asked = a.antiEntropy.exchange(b.id, never)
    asked.catch(() => {})
    const stopping = Promise.all([a.antiEntropy.stop(), b.antiEntropy.stop()])
    await world.during(stopping, 100)
    await expect(asked).rejects.toMatchObject({ code: 'ERR_STOPPING' })
    await world.clock.advance(20)
    expect(world.clock.pending).toBe(0)
    const count = b.directory.count('all')
    await world.clock.advance(200_000)
    expect(b.directory.count('all')).toBe(count)
  })
})

describe('between nodes of two versions', () => {
  it.each([
    ['the older', 'b'],
    ['the newer', 'a']
  ])('trees are compared in the greatest version that both know, whether %s begins or not', async (_who, beginner) => {
    world = new World()
    a = await Replica.start(world, 'a', { version: { tree: { min: 1, max: 3 } } })
    b = await Replica.start(world, 'b', { version: { tree: { min: 1, max: 2 } } })
    await world.connect(a, b)
    const asked: number[] = []
    for (const { transport } of [a, b]) {
      const request = transport.request.bind(transport)
      transport.request = (peer, method, body, signal) => {
        if (method === 'tree.nodes') asked.push(Message.decode(body).uint('version'))
        return request(peer, method, body, signal)
      }
    }
    await a.births(3)
    await (beginner === 'a' ? exchange() : exchange(b, a))
    await expectSame(a, b)
    expect([...new Set(asked)]).toEqual([2])
  })

  it('a version that this node does not know is refused', async () => {
    world = new World()
    a = await Replica.start(world, 'a', { version: { tree: { min: 2, max: 3 } } })
    b = await Replica.start(world, 'b', { version: { tree: { min: 2, max: 3 } } })
    await world.connect(a, b)
    for (const version of [1, 4]) {
      const body = encodeNodesRequest({ level: 0, indexes: [0] }, version)
      const answer = b.transport.request(a.id, 'tree.nodes', body, never)
      await expect(world.during(answer)).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
    }
  })
})
