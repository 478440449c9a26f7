import { describe, expect, it } from 'vitest'
import { NEMESES } from '../../../chaos/catalogue.js'
import { clock, clockRestart, clockStrobe } from '../../../chaos/nemeses/clocks.js'
import type { Cut } from '../../../chaos/nemeses/nemesis.js'
import { bridge, halves, one, oneWay } from '../../../chaos/nemeses/partitions.js'
import { kill, killAll, pause, stop } from '../../../chaos/nemeses/processes.js'
import { testSeeds } from '../../support/seeded-random.js'
import { tormented } from './recorded-stage.js'

const MINUTE = 60_000

/** Ways between nodes that nothing gets along, sorted. */
function cutWays(cut: Cut | undefined): string[] {
  return (cut ?? []).map(([from, to]) => `${from}>${to}`).sort()
}

describe.each(NEMESES.map(nemesis => [nemesis.name, nemesis] as const))('the nemesis %s', (_, nemesis) => {
  it.each(testSeeds(5))('does the same again under seed %i', async seed => {
    const [first, second] = [await tormented([nemesis], seed, MINUTE), await tormented([nemesis], seed, MINUTE)]
    expect(second.stage.deeds).toEqual(first.stage.deeds)
    expect(second.faults).toEqual(first.faults)
    expect(first.faults.length).toBeGreaterThan(0)
  })

  it('does something else under another seed', async () => {
    const [first, second] = [await tormented([nemesis], 1, MINUTE), await tormented([nemesis], 2, MINUTE)]
    expect(second.faults).not.toEqual(first.faults)
  })

  it.each(testSeeds(20))('has made all good in the end, whenever that comes, under seed %i', async seed => {
    const { stage, faults } = await tormented([nemesis], seed, (1_000 * seed) % MINUTE)
    expect([...stage.undone]).toEqual([])
    const begun = faults.filter(({ state }) => state === 'begins')
    const ended = faults.filter(({ state }) => state === 'ends')
    expect(ended.map(({ what }) => what)).toEqual(begun.map(({ what }) => what))
  })

  it('rests and holds on as long as it says', async () => {
    const { faults } = await tormented([nemesis], 3, 10 * MINUTE)
    const within = (ms: number, [from, to]: readonly [number, number]): void => {
      expect(ms).toBeGreaterThanOrEqual(from)
      expect(ms).toBeLessThanOrEqual(to)
    }
    let before = 0
    // the last one is cut short
    for (const [i, { atMs, state }] of faults.slice(0, -1).entries()) {
      expect(state).toBe(i % 2 === 0 ? 'begins' : 'ends')
      within(atMs - before, state === 'begins' ? nemesis.restMs : nemesis.holdMs)
      before = atMs
    }
  })
})

describe('nemeses together', () => {
  it.each(testSeeds(10))('keep their hands off what another one has, under seed %i', async seed => {
    const { stage } = await tormented([kill, killAll, stop, pause, clock, clockRestart], seed, 5 * MINUTE)
    expect([...stage.undone]).toEqual([])
    const deeds = ['kill', 'stop', 'start', 'pause', 'resume', 'set']
    expect(new Set(stage.deeds.map(deed => deed.split(' ')[0]))).toEqual(new Set(deeds))
  })

  it('leave each its own schedule, whoever is beside it', async () => {
    const [alone, beside] = [await tormented([one], 4, MINUTE), await tormented([one, halves], 4, MINUTE)]
    const own = beside.faults.filter(({ nemesis }) => nemesis === one.name)
    expect(own).toEqual(alone.faults)
  })
})

describe('a clock', () => {
  it('jumps by what nobody sees to what nobody believes, either way', async () => {
    const { faults } = await tormented([clockStrobe], 8, 10 * MINUTE)
    const jumps = new Set(faults.map(({ what }) => what.replace(/n\d /, '').replace(/[\d.]+ /, '')))
    const units = ['ms', 's', 'h', 'days', 'years']
    expect(jumps).toEqual(new Set(units.flatMap(unit => [`+${unit}`, `−${unit}`])))
  })

  it('is set right while its node is stopped, where it is to be back over a restart', async () => {
    const { stage } = await tormented([clockRestart], 9, MINUTE)
    const kinds = stage.deeds.map(deed => deed.replace(/ (clock of )?n\d/, ''))
    expect(kinds.slice(0, 4)).toEqual(['set', 'stop', 'set right', 'start'])
    expect(kinds).toHaveLength(4 * Math.floor(kinds.length / 4))
  })
})

describe('a partition', () => {
  it.each(testSeeds(10))('in halves cuts both ways between two and three of five, under seed %i', async seed => {
    const { faults } = await tormented([halves], seed, MINUTE)
    for (const { what, cut } of faults) {
      const [left = [], right = []] = what.split(' | ').map(side => side.split(' '))
      expect([left.length, right.length]).toEqual([2, 3])
      const between = left.flatMap(a => right.flatMap(b => [`${a}>${b}`, `${b}>${a}`]))
      expect(cutWays(cut)).toEqual(between.sort())
    }
  })

  it('of one node cuts it off from all others, both ways', async () => {
    const { faults } = await tormented([one], 5, MINUTE)
    for (const { what, cut } of faults) {
      const [alone] = what.split(' ')
      expect(cut).toHaveLength(8)
      expect(cut?.every(way => way.includes(alone as string))).toBe(true)
    }
  })

  it('one way lets the mute node hear', async () => {
    const { faults } = await tormented([oneWay], 6, MINUTE)
    for (const { what, cut } of faults) {
      const [mute] = what.split(' ')
      expect(cut).toHaveLength(4)
      expect(cut?.every(([from]) => from === mute)).toBe(true)
    }
  })

  it('with a bridge leaves one node with all others', async () => {
    const { faults } = await tormented([bridge], 7, MINUTE)
    for (const { what, cut } of faults) {
      const middle = what.split(' | ')[1]
      expect(cut).toHaveLength(8)
      expect(cut?.flat()).not.toContain(middle)
    }
  })
})
