import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { blockChecksums } from '../../../../src/domain/needle.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import type { Transport } from '../../../../src/network/transport.js'
import { PeerReads, type WantedNeedle } from '../../../../src/replication/volumes/peer-reads.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const PEERS = ['a', 'b', 'c', 'd'] as NodeId[]
const [A, B, C, D] = PEERS as [NodeId, NodeId, NodeId, NodeId]
const VOLUME = '0123456789abcdef-1' as VolumeId
const DATA = Buffer.alloc(100, 7)

function needle(chunk = 0): WantedNeedle {
  const identity = { kind: 'data', id: new Uint8Array(16), generation: 0, alternateKey: 0, chunk } as const
  return { identity, length: DATA.length, volume: VOLUME }
}

/** Peers that answer after some time, hold the needle or not, and may fail to send it. */
class World {
  readonly clock = new SimulatedClock()
  peers: readonly NodeId[] = PEERS
  /** Known to hold the volume, the likeliest first. */
  holders: readonly NodeId[] = [B]
  readonly having = new Set(PEERS)
  readonly failing = new Set<NodeId>()
  /** They begin to send, and then send nothing. */
  readonly standing = new Set<NodeId>()
  readonly answerMs = new Map<NodeId, number>()
  readonly asked: string[] = []
  readonly left: NodeId[] = []
  readonly reads: PeerReads

  constructor() {
    const { clock } = this
    const transport: Partial<Transport> = {
      peers: () => this.peers,
      handle: () => {},
      handleFetch: () => {},
      request: async (peer, _method, _body, signal) => {
        this.asked.push(`find ${peer}`)
        await clock.sleep(this.answerMs.get(peer) ?? 1, signal).catch(err => {
          this.left.push(peer)
          throw err
        })
        if (!this.having.has(peer)) throw new SheafError('ERR_BYTES_UNREACHABLE')
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32LE(blockChecksums(needle().identity, DATA)[0] as number)
        return encodeMessage({ checksums: bytes })
      },
      fetch: (peer, _method, _body, signal) => this.#send(peer, signal)
    }
    this.reads = new PeerReads({
      transport: transport as Transport,
      store: undefined as never,
      holders: () => this.holders,
      clock,
      log: silentLog
    })
  }

  async *#send(peer: NodeId, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.asked.push(`read ${peer}`)
    if (this.standing.has(peer)) {
      yield DATA.subarray(0, 10)
      await this.clock.sleep(600_000, signal)
    }
    if (this.failing.has(peer)) throw new SheafError('ERR_PEER_UNREACHABLE')
    yield DATA
  }

  isInReach(wanted = needle()): Promise<boolean> {
    return this.#run(this.reads.isInReach(wanted))
  }

  async read(wanted = needle()): Promise<Buffer> {
    const pieces = async (): Promise<Buffer> => {
      const all: Uint8Array[] = []
      for await (const piece of this.reads.stream(wanted, 0, DATA.length)) all.push(piece)
      return Buffer.concat(all)
    }
    return this.#run(pieces())
  }

  async #run<Result>(task: Promise<Result>): Promise<Result> {
    let isOver = false
    const done = task.finally(() => {
      isOver = true
    })
    done.catch(() => {}) // thrown below
    while (!isOver) await this.clock.advance(1)
    expect(this.clock.pending).toBe(0)
    return done
  }
}

describe('a needle that is not here', () => {
  test('is asked for once: of the likeliest peer, and read there', async () => {
    const world = new World()
    expect(await world.isInReach()).toBe(true)
    expect(await world.read()).toEqual(DATA)
    expect(await world.read()).toEqual(DATA)
    expect(world.asked).toEqual(['find b', 'read b', 'read b'])
  })

  test('is asked for of all others when the likeliest does not have it', async () => {
    const world = new World()
    world.having.delete(B)
    world.answerMs.set(A, 5).set(C, 2).set(D, 5)
    expect(await world.isInReach()).toBe(true)
    expect(await world.read()).toEqual(DATA)
    expect(world.asked).toEqual(['find b', 'find a', 'find c', 'find d', 'read c'])
    expect(world.left).toEqual([A, D])
  })

  test('is asked for of all others when the likeliest does not answer', async () => {
    const world = new World()
    world.answerMs.set(B, 60_000)
    expect(await world.read()).toEqual(DATA)
    expect(world.clock.monotonic()).toBeLessThan(110)
    expect(world.asked).toEqual(['find b', 'find a', 'find c', 'find d', 'read a'])
    expect(world.left).toContain(B)
  })

  test('is asked for of all when nobody is known to hold the volume, or none is known', async () => {
    const world = new World()
    world.holders = ['gone' as NodeId]
    expect(await world.isInReach()).toBe(true)
    expect(world.asked).toHaveLength(4)
    expect(await world.isInReach({ ...needle(1), volume: undefined })).toBe(true)
    expect(world.asked).toHaveLength(8)
  })

  test('is asked for again when the peer that had it fails, or is gone', async () => {
    const world = new World()
    expect(await world.isInReach()).toBe(true)
    world.failing.add(B)
    expect(await world.read()).toEqual(DATA)
    expect(world.asked).toEqual(['find b', 'read b', 'find a', 'find c', 'find d', 'read a'])
    world.peers = [C]
    world.asked.length = 0
    expect(await world.read()).toEqual(DATA)
    expect(world.asked).toEqual(['find c', 'read c'])
  })

  test('is read elsewhere when the peer that sends it stands still', async () => {
    const world = new World()
    world.standing.add(B)
    expect(await world.read()).toEqual(DATA)
    expect(world.clock.monotonic()).toBeLessThan(2_100)
    expect(world.asked).toEqual(['find b', 'read b', 'find a', 'find c', 'find d', 'read a'])
    world.peers = [B]
    world.asked.length = 0
    await expect(world.read()).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    expect(world.asked).toEqual(['find b', 'read b'])
  })

  test('is asked for again after five seconds', async () => {
    const world = new World()
    expect(await world.isInReach()).toBe(true)
    await world.clock.advance(5_000)
    world.having.clear()
    expect(await world.isInReach()).toBe(false)
    expect(world.asked).toEqual(['find b', 'find b', 'find a', 'find c', 'find d'])
  })

  test('is remembered among 256 at most', async () => {
    const world = new World()
    for (let chunk = 0; chunk < 257; chunk++) expect(await world.isInReach(needle(chunk))).toBe(true)
    world.asked.length = 0
    for (const chunk of [1, 256, 0]) expect(await world.isInReach(needle(chunk))).toBe(true)
    expect(world.asked).toEqual(['find b'])
  })
})
