import { describe, expect, test } from 'vitest'
import type { NeedleRow } from '../../../src/volumes/index-file.js'
import { Inspector, type Verdict } from '../../../src/volumes/inspection.js'
import type { Hole, Volume } from '../../../src/volumes/volume.js'
import { SeededRandom, testSeeds } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const NEEDLE_BYTES = 512
const FIRST = 256
const DAY_MS = 24 * 3_600_000
const LIVE: Verdict = { state: 'live' }

/** A volume of needles of equal size, and a judge who says of each what it was told, and counts whom it judged. */
class Fixture {
  readonly clock = new SimulatedClock()
  readonly verdicts: Verdict[] = []
  readonly volume: Volume
  judged = 0
  /** Called before each piece of rows is read, with the index of its first needle. */
  onRead: (index: number) => void = () => {}
  inspector: Inspector
  #holes: readonly Hole[] = []

  constructor() {
    const fixture = this
    this.volume = {
      get end() {
        return FIRST + NEEDLE_BYTES * fixture.verdicts.length
      },
      get holes() {
        return fixture.#holes
      },
      async *rows() {
        const rows = fixture.verdicts.map((_, i) => ({ offset: placeOf(i), length: 440 }) as NeedleRow)
        for (let at = 0; at < rows.length; at += 300) {
          fixture.onRead(at)
          yield rows.slice(at, at + 300)
        }
      }
    } as Volume
    this.inspector = this.inspectorOf()
  }

  inspectorOf(init: { readonly purgeMs?: number } = {}): Inspector {
    const judge = async (_: Volume, rows: readonly NeedleRow[]): Promise<Verdict[]> => {
      this.judged += rows.length
      return rows.map(({ offset }) => this.verdicts[(offset - FIRST) / NEEDLE_BYTES] as Verdict)
    }
    return new Inspector({ clock: this.clock, judge, since: age => this.clock.monotonic() - age }, init)
  }

  /** Another process goes on from what this one has counted. */
  restart(): void {
    const before = this.inspector.counted(this.volume)
    this.inspector = this.inspectorOf()
    if (before !== undefined) this.inspector.resume(this.volume, before)
  }

  append(count: number, verdict = LIVE): void {
    for (let i = 0; i < count; i++) this.verdicts.push(verdict)
  }

  /** @param isTold - whether the inspector is told */
  change(index: number, verdict: Verdict, isTold = true): void {
    this.verdicts[index] = verdict
    if (isTold) this.inspector.invalidate(this.volume, placeOf(index))
  }

  repair(): void {
    this.#holes = []
  }

  /** @returns the bytes of live and of dead needles, and how many had to be judged */
  async counts(): Promise<{ live: number; dead: number; judged: number }> {
    this.judged = 0
    const { liveBytes, deadBytes } = await this.inspector.inspect(this.volume)
    return { live: liveBytes / NEEDLE_BYTES, dead: deadBytes / NEEDLE_BYTES, judged: this.judged }
  }
}

function placeOf(index: number): number {
  return FIRST + NEEDLE_BYTES * index
}

async function counted(needles: number): Promise<Fixture> {
  const fixture = new Fixture()
  fixture.append(needles)
  expect(await fixture.counts()).toEqual({ live: needles, dead: 0, judged: needles })
  return fixture
}

describe('a volume that was counted', () => {
  test('costs nothing while nothing happens, however much time passes', async () => {
    const fixture = await counted(5_000)
    await fixture.clock.advance(DAY_MS)
    expect(await fixture.counts()).toEqual({ live: 5_000, dead: 0, judged: 0 })
  })

  test('is judged again only around what changed', async () => {
    const fixture = await counted(5_000)
    fixture.change(3_000, { state: 'dead' })
    expect(await fixture.counts()).toEqual({ live: 4_999, dead: 1, judged: 1_024 })
    fixture.change(10, { state: 'copy' })
    fixture.change(4_999, { state: 'dead' })
    expect(await fixture.counts()).toEqual({ live: 4_997, dead: 3, judged: 1_024 + 5_000 - 4 * 1_024 })
    expect((await fixture.counts()).judged).toBe(0)
  })

  test('is judged again only at its end when it has grown', async () => {
    const fixture = await counted(5_000)
    fixture.append(100)
    expect(await fixture.counts()).toEqual({ live: 5_100, dead: 0, judged: 5_100 - 4 * 1_024 })
    fixture.append(1_000)
    expect((await fixture.counts()).judged).toBe(6_100 - 4 * 1_024)
    fixture.append(1_000)
    expect((await fixture.counts()).judged).toBe(7_100 - 5 * 1_024)
  })

  test('is judged anew when a hole in it was repaired, or when it is said to have changed', async () => {
    const fixture = await counted(2_000)
    fixture.repair()
    expect((await fixture.counts()).judged).toBe(2_000)
    fixture.inspector.invalidate(fixture.volume)
    expect((await fixture.counts()).judged).toBe(2_000)
  })

  test('has what changed while it was judged judged once more', async () => {
    const fixture = new Fixture()
    fixture.append(3_000)
    const counting = fixture.inspector.inspect(fixture.volume)
    for (let i = 0; fixture.judged < 1_500 && i < 100; i++) await new Promise(setImmediate)
    fixture.change(5, { state: 'dead' })
    fixture.append(1, { state: 'dead' })
    await counting
    expect(await fixture.counts()).toMatchObject({ live: 2_999, dead: 2 })
  })

  test('has what changed while the needles around it were passed over counted whole the next time', async () => {
    const fixture = await counted(3_000)
    fixture.change(2_900, { state: 'dead' })
    fixture.onRead = index => {
      if (index === 1_500) fixture.change(1_100, { state: 'dead' })
    }
    expect(await fixture.counts()).toMatchObject({ live: 2_999, dead: 1 })
    fixture.onRead = () => {}
    expect(await fixture.counts()).toEqual({ live: 2_998, dead: 2, judged: 1_024 })
  })

  test('is counted once for all who ask at the same time', async () => {
    const fixture = new Fixture()
    fixture.append(3_000)
    const both = [fixture.inspector.inspect(fixture.volume), fixture.inspector.inspect(fixture.volume)]
    expect(new Set((await Promise.all(both)).map(({ liveBytes }) => liveBytes)).size).toBe(1)
    expect(fixture.judged).toBe(3_000)
  })
})

describe('what was counted', () => {
  test('is gone on from by another process', async () => {
    const fixture = await counted(5_000)
    fixture.change(3_000, { state: 'dead' })
    await fixture.counts()
    fixture.restart()
    expect(await fixture.counts()).toEqual({ live: 4_999, dead: 1, judged: 0 })
    expect(fixture.inspector.cleanAt(fixture.volume)).toBe(fixture.clock.now())
    fixture.change(10, { state: 'dead' })
    fixture.append(100)
    expect(await fixture.counts()).toEqual({ live: 5_098, dead: 2, judged: 1_024 + 5_100 - 4 * 1_024 })
  })

  test('and changed since, or is not known, is counted anew', async () => {
    const fixture = await counted(5_000)
    fixture.change(1_500, { state: 'unknown' })
    await fixture.counts()
    fixture.change(2_500, { state: 'dead' })
    fixture.restart()
    fixture.change(1_500, { state: 'dead' }, false)
    expect(fixture.inspector.cleanAt(fixture.volume)).toBeUndefined()
    expect(await fixture.counts()).toEqual({ live: 4_998, dead: 2, judged: 2 * 1_024 })
  })

  test('is audited in its turn', async () => {
    const fixture = await counted(5_000)
    fixture.restart()
    fixture.change(10, { state: 'dead' }, false)
    await fixture.clock.advance(10 * 60_000)
    fixture.inspector.audit([fixture.volume])
    expect(await fixture.counts()).toMatchObject({ dead: 1 })
  })
})

describe('a delete', () => {
  test('comes out of its grace without being judged again', async () => {
    const fixture = await counted(2_000)
    const heardAt = fixture.clock.monotonic()
    fixture.change(7, { state: 'dead', heardAt })
    const graced = async (): Promise<number> => (await fixture.inspector.inspect(fixture.volume)).gracedBytes
    expect(await graced()).toBe(NEEDLE_BYTES)
    await fixture.clock.advance(DAY_MS - 1)
    fixture.judged = 0
    expect(await graced()).toBe(NEEDLE_BYTES)
    await fixture.clock.advance(DAY_MS / 64 + 1)
    expect([await graced(), fixture.judged]).toEqual([0, 0])
    expect((await fixture.inspector.inspect(fixture.volume)).oldestHeardAt).toBe(heardAt)
  })

  test('that shall go counts as so old that it is due after its grace', async () => {
    const fixture = await counted(10)
    const purgeMs = 30 * DAY_MS
    fixture.inspector = fixture.inspectorOf({ purgeMs })
    await fixture.clock.advance(5 * DAY_MS)
    const heardAt = fixture.clock.monotonic()
    fixture.change(3, { state: 'dead', heardAt: heardAt - DAY_MS })
    fixture.change(7, { state: 'dead', heardAt, isPurgeWanted: true })
    const { gracedBytes, oldestHeardAt = Number.NaN } = await fixture.inspector.inspect(fixture.volume)
    expect(gracedBytes).toBe(NEEDLE_BYTES)
    expect(oldestHeardAt + purgeMs).toBe(heardAt + DAY_MS)
  })
})

describe('an audit', () => {
  test('finds what nobody told of, a bounded number of needles every ten minutes, the oldest counts first', async () => {
    const fixture = await counted(3_000)
    for (const index of [0, 1_500, 2_999]) fixture.change(index, { state: 'dead' }, false)
    const found: number[] = []
    for (let round = 0; round < 3; round++) {
      await fixture.clock.advance(10 * 60_000)
      fixture.inspector.audit([fixture.volume])
      fixture.inspector.audit([fixture.volume])
      const { dead, judged } = await fixture.counts()
      expect(judged).toBeLessThanOrEqual(1_024)
      found.push(dead)
    }
    expect(found).toEqual([1, 2, 3])
  })

  test('looks at once after what waits for its grave to be written', async () => {
    const fixture = await counted(40_000)
    const waiting: Verdict = { state: 'unknown', isBuried: true }
    for (let index = 0; index < 40_000; index += 1_000) fixture.change(index, waiting)
    expect(await fixture.counts()).toMatchObject({ live: 40_000, dead: 0 })
    const buried: Verdict = { state: 'dead', heardAt: Number.NEGATIVE_INFINITY, isBuried: true }
    for (let index = 0; index < 40_000; index += 1_000) fixture.change(index, buried, false)
    await fixture.clock.advance(10 * 60_000)
    fixture.inspector.audit([fixture.volume])
    expect((await fixture.counts()).dead).toBe(40)
  })

  test('reads no further than what it judges', async () => {
    const fixture = await counted(10_000)
    await fixture.clock.advance(10 * 60_000)
    fixture.inspector.audit([fixture.volume])
    let last = 0
    fixture.onRead = index => {
      last = index
    }
    expect((await fixture.counts()).judged).toBe(1_024)
    expect(last).toBeLessThan(2_000)
  })

  test('of what was counted a moment ago waits', async () => {
    const fixture = await counted(1_000)
    fixture.inspector.audit([fixture.volume])
    await fixture.clock.advance(60_000)
    fixture.inspector.audit([fixture.volume])
    expect((await fixture.counts()).judged).toBe(0)
  })
})

test.each(testSeeds(20))('parts add up to what a count of the whole says, under seed %i', async seed => {
  const random = new SeededRandom(seed)
  const fixture = new Fixture()
  for (let step = 0; step < 60; step++) {
    const index = random.below(fixture.verdicts.length + 1)
    const heardAt = fixture.clock.monotonic() - random.below(2 * DAY_MS)
    const verdicts: readonly Verdict[] = [
      LIVE,
      { state: 'copy' },
      { state: 'dead', heardAt },
      { state: 'dead', heardAt: Number.NEGATIVE_INFINITY, isBuried: true },
      { state: 'unknown', isLaidOut: true }
    ]
    const verdict = random.pick(verdicts)
    if (random.chance(0.3) || index === fixture.verdicts.length) fixture.append(random.below(1_500), verdict)
    else fixture.change(index, verdict)
    if (random.chance(0.5)) await fixture.inspector.inspect(fixture.volume)
  }
  await fixture.clock.advance(3 * DAY_MS) // so that nothing depends on how moments are rounded
  const whole = await fixture.inspectorOf().inspect(fixture.volume)
  expect(await fixture.inspector.inspect(fixture.volume)).toEqual(whole)
})
