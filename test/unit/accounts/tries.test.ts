import { describe, expect, it } from 'vitest'
import { addressRange } from '../../../src/accounts/address-range.js'
import { FailureLimit, Tries } from '../../../src/accounts/tries.js'
import { hasCode } from '../../../src/core/errors.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

/** @returns how long to wait, s; 0: not at all */
function waitOf(begin: () => void): number {
  try {
    begin()
    return 0
  } catch (err) {
    if (!hasCode(err, 'ERR_TOO_MANY_TRIES')) throw err
    return Number(err.details.retry_after_s)
  }
}

describe('an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['', ''],
    ['unix', 'unix']
  ])('%s is one of %s', (address, range) => {
    expect(addressRange(address)).toBe(range)
  })
})

describe('tries', () => {
  const attempt = { name: 'Anna', address: '192.0.2.1', device: 'phone' }

  it('are five for nothing, then fewer and fewer, and start anew after success or a quarter of an hour', async () => {
    const clock = new SimulatedClock()
    const tries = new Tries({ clock })
    for (let i = 0; i < 5; i++) expect(waitOf(() => tries.begin(attempt))).toBe(0)
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      waits.push(waitOf(() => tries.begin({ ...attempt, name: 'ANNA' })))
      await clock.advance((waits.at(-1) ?? 0) * 1_000)
      expect(waitOf(() => tries.begin(attempt))).toBe(0)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
    expect(waitOf(() => tries.begin({ ...attempt, device: undefined }))).toBe(0)
    expect(waitOf(() => tries.begin({ ...attempt, device: 'desk' }))).toBe(0)
    expect(waitOf(() => tries.begin({ ...attempt, name: 'bob' }))).toBe(0)
    tries.succeeded(attempt)
    expect(waitOf(() => tries.begin(attempt))).toBe(0)
    for (let i = 0; i < 4; i++) tries.begin(attempt)
    expect(waitOf(() => tries.begin(attempt))).toBe(1)
    await clock.leap(15 * 60_000 + 1)
    expect(waitOf(() => tries.begin(attempt))).toBe(0)
  })

  it('on one account are 20 from wherever, then one in 5 s, and those of a known device go on', async () => {
    const clock = new SimulatedClock()
    const tries = new Tries({ clock })
    const from = (i: number): number => waitOf(() => tries.begin({ name: 'anna', address: `10.0.0.${i}` }))
    for (let i = 0; i < 20; i++) expect(from(i)).toBe(0)
    expect(from(21)).toBe(5)
    expect(waitOf(() => tries.begin(attempt))).toBe(0)
    await clock.advance(5_000)
    expect([from(22), from(23)]).toEqual([0, 5])
  })

  it('are remembered of so many', () => {
    const tries = new Tries({ clock: new SimulatedClock() })
    for (let i = 0; i < 5; i++) tries.begin(attempt)
    for (let i = 0; i < 10_000; i++) tries.begin({ ...attempt, name: `n${i}` })
    expect(waitOf(() => tries.begin(attempt))).toBe(0)
  })
})

it('an address that sends 20 bad tokens at once waits', async () => {
  const clock = new SimulatedClock()
  const limit = new FailureLimit({ clock })
  for (let i = 0; i < 21; i++) {
    expect(waitOf(() => limit.check('192.0.2.1'))).toBe(0)
    limit.note('192.0.2.1')
  }
  expect([waitOf(() => limit.check('192.0.2.1')), waitOf(() => limit.check('192.0.2.2'))]).toEqual([1, 0])
  await clock.advance(1_000)
  expect(waitOf(() => limit.check('192.0.2.1'))).toBe(0)
})
