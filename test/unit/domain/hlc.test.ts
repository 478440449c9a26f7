import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DRIFT_MS_MAX,
  formatHlc,
  HLC_MAX,
  HLC_ZERO,
  type Hlc,
  HybridClock,
  hlcCounter,
  hlcFrom,
  hlcMs,
  parseHlc
} from '../../../src/domain/hlc.js'
import { hlcArb, NOW_MS } from '../../support/domain-arbitraries.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

describe('stamps', () => {
  it('hold milliseconds and counter, and survive formatting and parsing', () => {
    fc.assert(
      fc.property(hlcArb, stamp => {
        expect(hlcFrom(hlcMs(stamp), hlcCounter(stamp))).toBe(stamp)
        expect(parseHlc(formatHlc(stamp))).toBe(stamp)
      })
    )
    expect(formatHlc(hlcFrom(NOW_MS, 7))).toBe(`${NOW_MS}.7`)
  })

  it('carry from the counter into the ms', () => {
    expect((hlcFrom(41, 0xffff) + 1n) as Hlc).toBe(hlcFrom(42, 0))
  })

  it('are kept in range', () => {
    expect(hlcFrom(-1)).toBe(HLC_ZERO)
    expect(hlcFrom(2 ** 50, 0xffff)).toBe(HLC_MAX)
  })

  it.each(['', '1', '1.', '.1', '01.0', '1.00', '1.65536', '281474976710656.0', '-1.0', '1.0 '])(
    'are not parsed from %j',
    text => expect(parseHlc(text)).toBeUndefined()
  )
})

describe('HybridClock', () => {
  const event = fc.oneof(
    fc.record({ do: fc.constant('wall' as const), ms: fc.integer({ min: 0, max: 2 * NOW_MS }) }),
    fc.record({ do: fc.constant('wall' as const), ms: fc.integer({ min: NOW_MS - 5, max: NOW_MS + 5 }) }),
    fc.record({ do: fc.constant('now' as const) }),
    fc.record({ do: fc.constant('after' as const), stamps: fc.array(nearOrFar(), { maxLength: 3 }) }),
    fc.record({ do: fc.constant('observe' as const), stamp: nearOrFar() })
  )

  it('gives increasing stamps above all that it saw, however the wall clock jumps', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), events => {
        const wall = new SimulatedClock(NOW_MS)
        const clock = new HybridClock({ clock: wall })
        let previous = HLC_ZERO
        for (const step of events) {
          if (step.do === 'wall') wall.setWall(step.ms)
          else if (step.do === 'observe') clock.observe(step.stamp)
          else if (step.do === 'after') {
            const stamp = clock.after(step.stamps)
            for (const seen of [...step.stamps, previous]) expect(stamp > seen).toBe(true)
            expect(stamp >= hlcFrom(wall.now())).toBe(true)
          } else {
            const stamp = clock.now()
            expect(stamp > previous && stamp >= hlcFrom(wall.now())).toBe(true)
            previous = stamp
          }
        }
      })
    )
  })

  it('follows what it observes up to the drift bound, and no further', () => {
    const clock = new HybridClock({ clock: new SimulatedClock(NOW_MS) })
    const near = hlcFrom(NOW_MS + DRIFT_MS_MAX, 0xffff)
    clock.observe((near + 1n) as Hlc)
    expect(clock.now()).toBe(hlcFrom(NOW_MS))
    clock.observe(near)
    expect(clock.now()).toBe(near + 1n)
  })

  it('exceeds a stamp from 2099 without adopting it', () => {
    const clock = new HybridClock({ clock: new SimulatedClock(NOW_MS) })
    const far = hlcFrom(Date.UTC(2099, 0, 1), 0xffff)
    expect(clock.after([far, HLC_ZERO])).toBe(far + 1n)
    expect(hlcMs(clock.now())).toBe(NOW_MS)
  })

  it('exceeds the next stamp after its own wall clock was in 2099', () => {
    const wall = new SimulatedClock(Date.UTC(2099, 0, 1))
    const clock = new HybridClock({ clock: wall })
    const far = clock.now()
    wall.setWall(NOW_MS)
    expect(clock.after([(far + 1n) as Hlc])).toBe(far + 2n)
  })

  it('accepts a drift bound', () => {
    const clock = new HybridClock({ clock: new SimulatedClock(NOW_MS) }, { driftMsMax: 5 })
    clock.observe(hlcFrom(NOW_MS + 6))
    expect(hlcMs(clock.now())).toBe(NOW_MS)
  })

  it('does not let a wall clock exhaust the stamps', () => {
    const clock = new HybridClock({ clock: new SimulatedClock(2 ** 60) })
    expect(clock.now() < HLC_MAX / 2n + 2n).toBe(true)
  })

  it('follows the greatest stamp with itself, and no further write by it', () => {
    const clock = new HybridClock({ clock: new SimulatedClock(NOW_MS) })
    expect(clock.after([HLC_MAX])).toBe(HLC_MAX)
    expect(hlcMs(clock.now())).toBe(NOW_MS)
  })

  function nearOrFar(): fc.Arbitrary<Hlc> {
    return fc.oneof(
      fc.integer({ min: -1000, max: 1000 }).map(ms => hlcFrom(NOW_MS + ms * 100, 0xffff)),
      fc.bigInt({ min: 0n, max: HLC_MAX - 1n }).map(value => value as Hlc)
    )
  }
})
