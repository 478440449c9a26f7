import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../../../src/domain/ids.js'
import { SupplierRates, type Transfer } from '../../../../src/replication/volumes/supplier-rates.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const [FAST, SLOW, NEW] = ['fast', 'slow', 'new'] as [NodeId, NodeId, NodeId]
const MB = 1_000_000

function fixture(): { readonly rates: SupplierRates; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock()
  return { rates: new SupplierRates({ clock, random: new SeededRandom(1) }), clock }
}

/** A second in which this node did nothing but wait. */
function second(bytes: number): Transfer {
  return { bytes, elapsedMs: 1_000, waitedMs: 1_000 }
}

describe('how fast a peer is', () => {
  test('is an average in which the newest counts most', () => {
    const { rates } = fixture()
    expect(rates.of(FAST)).toBeUndefined()
    rates.note(FAST, second(10 * MB))
    expect(rates.of(FAST)).toBe(10 * MB)
    rates.note(FAST, second(0))
    expect(rates.of(FAST)).toBe(7 * MB)
    for (let i = 0; i < 20; i++) rates.note(FAST, second(MB))
    expect(rates.of(FAST)).toBeCloseTo(MB, -4)
  })

  test('is not told by a small message, unless that took long', () => {
    const { rates } = fixture()
    rates.note(FAST, { bytes: 1_000, elapsedMs: 50, waitedMs: 50 })
    expect(rates.of(FAST)).toBeUndefined()
    rates.note(FAST, second(1_000))
    expect(rates.of(FAST)).toBe(1_000)
  })

  test('is at least what it was while it had to wait for this node', () => {
    const { rates } = fixture()
    rates.note(FAST, second(10 * MB))
    rates.note(FAST, { bytes: MB, elapsedMs: 1_000, waitedMs: 100 })
    expect(rates.of(FAST)).toBe(10 * MB)
    rates.note(FAST, { bytes: 20 * MB, elapsedMs: 1_000, waitedMs: 100 })
    expect(rates.of(FAST)).toBe(20 * MB)
  })

  test('is forgotten after a minute', async () => {
    const { rates, clock } = fixture()
    rates.note(SLOW, second(1_000))
    await clock.advance(59_999)
    expect(rates.of(SLOW)).toBe(1_000)
    await clock.advance(1)
    expect(rates.of(SLOW)).toBeUndefined()
  })
})

describe('a peer is left for another', () => {
  test('when that is much faster', () => {
    const { rates } = fixture()
    rates.note(FAST, second(8 * MB))
    expect(rates.isTooSlow(second(MB - 1), [FAST])).toBe(true)
    expect(rates.isTooSlow(second(MB), [FAST])).toBe(false)
    rates.note(SLOW, second(1_000))
    expect(rates.isTooSlow(second(0), [SLOW, FAST])).toBe(true)
    expect(rates.isTooSlow(second(200), [SLOW])).toBe(false)
    expect(rates.isTooSlow(second(0), [])).toBe(false)
  })

  test('when nothing is known of that, and this one is slow', () => {
    const { rates } = fixture()
    expect(rates.isTooSlow(second(MB), [NEW])).toBe(true)
    expect(rates.isTooSlow(second(4 * MB), [NEW])).toBe(false)
  })

  test('not when it had to wait for this node', () => {
    const { rates } = fixture()
    expect(rates.isTooSlow({ bytes: 0, elapsedMs: 1_000, waitedMs: 499 }, [NEW])).toBe(false)
  })
})

describe('the order in which peers are asked', () => {
  /** @returns how many times in a thousand each is asked first */
  function firsts(rates: SupplierRates, peers: readonly NodeId[]): Map<NodeId, number> {
    const counts = new Map(peers.map(peer => [peer, 0]))
    for (let i = 0; i < 1_000; i++) {
      const order = rates.order(peers)
      expect(new Set(order)).toEqual(new Set(peers))
      const [first] = order as [NodeId]
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    return counts
  }

  test('is at random while nothing is known', () => {
    const counts = firsts(fixture().rates, [FAST, SLOW, NEW])
    for (const count of counts.values()) expect(Math.abs(count - 333)).toBeLessThan(60)
  })

  test('has each first in proportion to its rate; one of which nothing is known is taken for fast', () => {
    const { rates } = fixture()
    rates.note(FAST, second(9 * MB))
    rates.note(SLOW, second(MB))
    const two = firsts(rates, [FAST, SLOW])
    expect(Math.abs((two.get(SLOW) ?? 0) - 100)).toBeLessThan(40)
    const three = firsts(rates, [FAST, SLOW, NEW])
    expect(Math.abs((three.get(NEW) ?? 0) - 474)).toBeLessThan(60)
  })

  test('still has one that sends nothing', () => {
    const { rates } = fixture()
    rates.note(SLOW, second(0))
    expect(rates.order([SLOW])).toEqual([SLOW])
  })
})
