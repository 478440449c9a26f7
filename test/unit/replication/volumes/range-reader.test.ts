import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { encodeMessage } from '../../../../src/network/rpc/message.js'
import { RangeReader } from '../../../../src/replication/volumes/range-reader.js'
import type { Supply } from '../../../../src/replication/volumes/range-stream.js'
import { SupplierRates } from '../../../../src/replication/volumes/supplier-rates.js'
import { decodeRange, READ_BYTES_MAX, type VolumeRange } from '../../../../src/replication/volumes/volume-messages.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock, settle } from '../../../support/simulated-clock.js'

const [A, B] = ['a', 'b'] as [NodeId, NodeId]
const PIECE_BYTES = 64 * 1024
const LONG_BYTES = 16 * READ_BYTES_MAX

/** A peer sends its pieces so fast, bytes a millisecond, or fails at once. */
type Speed = number | SheafError

class Fixture {
  readonly clock = new SimulatedClock()
  readonly rates = new SupplierRates({ clock: this.clock, random: new SeededRandom(1) })
  readonly speeds = new Map<NodeId, Speed>()
  /** Who was asked, in order, and who was told that it need not answer any more. */
  readonly asked: NodeId[] = []
  readonly left: NodeId[] = []
  readonly stopping = new AbortController()
  readonly reader: RangeReader

  constructor() {
    const { clock } = this
    const send = async (peer: NodeId, byteCount: number, signal: AbortSignal): Promise<Uint8Array> => {
      const speed = this.speeds.get(peer) ?? 10_000
      if (speed instanceof SheafError) throw speed
      await clock.sleep(byteCount / speed, signal).catch(err => {
        this.left.push(peer)
        throw err
      })
      return new Uint8Array(byteCount)
    }
    const transport = {
      request: async (peer: NodeId, _method: string, body: Uint8Array, signal: AbortSignal) => {
        this.asked.push(peer)
        const { from, to } = decodeRange(body)
        return encodeMessage({ bytes: await send(peer, to - from, signal) })
      },
      fetch: async function* (this: unknown, peer: NodeId, _method: string, body: Uint8Array, signal: AbortSignal) {
        asked.push(peer)
        const { from, to } = decodeRange(body)
        for (let at = from; at < to; at += PIECE_BYTES) yield await send(peer, PIECE_BYTES, signal)
      }
    }
    const { asked } = this
    this.reader = new RangeReader({ transport, clock, rates: this.rates }, { signal: this.stopping.signal })
  }

  /** Reads from A, or what else is faster. @returns who sent how much, why it ended, and after how many ms */
  async read(byteCount: number, others: readonly NodeId[] = [B], busyMs = 0): Promise<unknown> {
    const { clock } = this
    const range: VolumeRange = { volume: '0123456789abcdef-1' as VolumeId, from: 0, to: byteCount }
    const startedMs = clock.monotonic()
    const task = async (): Promise<unknown> => {
      const supply: Supply = await this.reader.read(A, range, () => others)
      let bytes = 0
      for await (const piece of supply.pieces) {
        bytes += piece.byteLength
        if (busyMs > 0) await clock.sleep(busyMs)
      }
      return { peer: supply.peer, bytes, end: supply.end, ms: Math.round(clock.monotonic() - startedMs) }
    }
    let isOver = false
    const done = task().finally(() => {
      isOver = true
    })
    done.catch(() => {}) // thrown below
    while (!isOver) await clock.advance(1)
    await settle()
    return done
  }
}

describe('a short range', () => {
  test('comes from the peer that is asked, alone', async () => {
    const world = new Fixture()
    expect(await world.read(READ_BYTES_MAX)).toMatchObject({ peer: A, bytes: READ_BYTES_MAX, end: 'all' })
    expect(world.asked).toEqual([A])
    expect(world.clock.pending).toBe(0)
  })

  test('is asked of a second peer when the first takes long, and the first answer counts', async () => {
    const world = new Fixture()
    world.speeds.set(A, 200)
    expect(await world.read(READ_BYTES_MAX)).toMatchObject({ peer: B, bytes: READ_BYTES_MAX, ms: 355 })
    expect([world.asked, world.left]).toEqual([[A, B], [A]])
    expect(world.clock.pending).toBe(0)
    expect(world.rates.of(A)).toBeLessThan(4_000_000)
    world.speeds.set(A, 2_000)
    world.speeds.set(B, 100)
    expect(await world.read(READ_BYTES_MAX)).toMatchObject({ peer: A })
  })

  test('of a peer that is known to take so long is not hedged sooner than that', async () => {
    const world = new Fixture()
    world.speeds.set(A, 500)
    world.rates.note(A, { bytes: 500_000, elapsedMs: 1_000, waitedMs: 1_000 })
    expect(await world.read(READ_BYTES_MAX)).toMatchObject({ peer: A })
    expect(world.asked).toEqual([A])
  })

  test('is not asked of a second peer without end', async () => {
    const world = new Fixture()
    world.speeds.set(A, 2_000)
    world.speeds.set(B, 2_000)
    for (let i = 0; i < 40; i++) {
      await world.clock.advance(60_000) // nothing is known any more
      await world.read(READ_BYTES_MAX)
    }
    expect(world.asked.filter(peer => peer === B)).toHaveLength(6) // 4, and one in 20
  })

  test('fails with the first peer, also when the second fails as well', async () => {
    const world = new Fixture()
    world.speeds.set(A, new SheafError('ERR_NO_SUCH_VOLUME'))
    await expect(world.read(READ_BYTES_MAX)).rejects.toMatchObject({ code: 'ERR_NO_SUCH_VOLUME' })
    expect(world.asked).toEqual([A])
    world.speeds.set(A, 1)
    world.speeds.set(B, new SheafError('ERR_NO_SUCH_VOLUME'))
    await expect(world.read(READ_BYTES_MAX)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(world.clock.pending).toBe(0)
  })

  test('that the peer cannot send in the time of a request comes as a stream', async () => {
    const world = new Fixture()
    world.speeds.set(A, 50)
    await expect(world.read(READ_BYTES_MAX, [])).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(await world.read(READ_BYTES_MAX, [])).toMatchObject({ peer: A, bytes: READ_BYTES_MAX, end: 'all' })
  })
})

describe('a long range', () => {
  test('comes as a stream to its end', async () => {
    const world = new Fixture()
    expect(await world.read(LONG_BYTES)).toMatchObject({ peer: A, bytes: LONG_BYTES, end: 'all' })
    expect(world.asked).toEqual([A])
    expect(world.rates.of(A)).toBeCloseTo(10_000_000, -6)
    expect(world.clock.pending).toBe(0)
  })

  test('ends at the first look when another peer is much faster', async () => {
    const world = new Fixture()
    world.rates.note(B, { bytes: 10_000_000, elapsedMs: 1_000, waitedMs: 1_000 })
    world.speeds.set(A, 1_000)
    expect(await world.read(LONG_BYTES)).toMatchObject({ end: 'too slow', ms: 500 })
    expect(world.left).toEqual([A])
    expect(world.rates.of(A)).toBeCloseTo(1_000_000, -6)
    expect(world.clock.pending).toBe(0)
  })

  test('of the only peer is waited for, however slow that is', async () => {
    const world = new Fixture()
    world.speeds.set(A, 200)
    expect(await world.read(LONG_BYTES, [])).toMatchObject({ bytes: LONG_BYTES, end: 'all' })
  })

  test('that this node is slow to take stays with its peer', async () => {
    const world = new Fixture()
    world.rates.note(B, { bytes: 10_000_000, elapsedMs: 1_000, waitedMs: 1_000 })
    expect(await world.read(LONG_BYTES, [B], 100)).toMatchObject({ bytes: LONG_BYTES, end: 'all' })
  })

  test('that fails gives what came before', async () => {
    const world = new Fixture()
    world.speeds.set(A, new SheafError('ERR_DISK_READ'))
    expect(await world.read(LONG_BYTES)).toMatchObject({ bytes: 0, end: { failure: { code: 'ERR_DISK_READ' } } })
    world.speeds.set(A, 100)
    const late = { bytes: 11_993_088, end: { failure: { code: 'ERR_PEER_UNREACHABLE' } }, ms: 120_000 }
    expect(await world.read(LONG_BYTES, [])).toMatchObject(late)
    expect(world.clock.pending).toBe(0)
  })

  test('ends with the node', async () => {
    const world = new Fixture()
    world.speeds.set(A, 100)
    world.clock.schedule(1_000, () => world.stopping.abort(new SheafError('ERR_STOPPING')))
    expect(await world.read(LONG_BYTES, [])).toMatchObject({ end: { failure: { code: 'ERR_STOPPING' } }, ms: 1_000 })
  })
})
