import { describe, expect, test } from 'vitest'
import {
  Decommission,
  type DecommissionComponents,
  type LeaveReport
} from '../../../../src/cluster/members/decommission.js'
import { SheafError } from '../../../../src/core/errors.js'
import type { Progress } from '../../../../src/core/progress.js'
import { HLC_ZERO } from '../../../../src/domain/hlc.js'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const [SELF, B, C] = ['node-a', 'node-b', 'node-c'] as [NodeId, NodeId, NodeId]
const [FIRST, SECOND] = ['00000000000000aa-1', '00000000000000aa-2'] as [VolumeId, VolumeId]

/** A node with two volumes of 500 and 300 bytes among two others; a test changes what it likes before and meanwhile. */
class Fixture {
  readonly clock = new SimulatedClock()
  readonly abort = new AbortController()
  /** What was done, in order. */
  readonly steps: string[] = []
  readonly progress: Progress[] = []
  alive: NodeId[] = [B, C]
  retired: VolumeId[] = []
  readonly ends = new Map<VolumeId, number>([
    [FIRST, 500],
    [SECOND, 300]
  ])
  /** What the others, taken together, hold. */
  readonly held = new Map<VolumeId, number>()
  isOut = false
  failure: { readonly step: 'compare' | 'leave'; readonly error: Error } | undefined
  readonly decommission = new Decommission(this.#components())

  leave(): Promise<LeaveReport> {
    return this.decommission.leave(progress => this.progress.push(progress), this.abort.signal)
  }

  holdAll(): void {
    for (const [id, end] of this.ends) this.held.set(id, end)
  }

  #step(step: 'compare' | 'leave', detail = ''): void {
    this.steps.push(`${step}${detail}`)
    if (this.failure?.step === step) throw this.failure.error
  }

  #components(): DecommissionComponents {
    return {
      self: SELF,
      alive: () => this.alive,
      peers: {
        acknowledgedBy: (id, peers) => {
          expect(peers).toEqual(this.alive)
          return this.held.get(id) ?? 0
        }
      },
      volumes: { volumes: () => Array.from(this.ends, ([id, end]) => ({ id, end })) as never },
      departures: {
        leave: async () => {
          this.#step('leave')
          this.isOut = true
        },
        departureOf: node => (node === SELF && this.isOut ? { how: 'left', at: HLC_ZERO } : undefined)
      },
      isRetired: id => this.retired.includes(id),
      compare: async peer => this.#step('compare', ` ${peer}`),
      clock: this.clock
    }
  }
}

/** Whether the process may end. */
async function hasLeft({ decommission, clock }: Fixture): Promise<boolean> {
  let left = false
  void decommission.left.then(() => {
    left = true
  })
  await clock.advance(0)
  return left
}

describe('a node that leaves', () => {
  test('drains, compares with everybody, tells them, and ends last', async () => {
    const fixture = new Fixture()
    expect(fixture.decommission.isUnderWay).toBe(false)
    const report = fixture.leave()
    await fixture.clock.advance(1_000)
    expect(fixture.steps).toEqual([])
    expect(fixture.progress).toContainEqual({ done: 0, total: 800, unit: 'bytes' })
    fixture.held.set(FIRST, 500)
    await fixture.clock.advance(200)
    expect(fixture.progress.at(-1)).toEqual({ done: 500, total: 800, unit: 'bytes' })
    expect(fixture.steps).toEqual([])
    fixture.holdAll()
    await fixture.clock.advance(200)
    expect(fixture.steps).toEqual(['compare node-b', 'compare node-c', 'leave'])
    expect(fixture.progress.at(-1)).toEqual({ done: 800, total: 800, unit: 'bytes' })
    fixture.decommission.noteRefusal(C)
    fixture.decommission.noteRefusal(C)
    await fixture.clock.advance(200)
    expect(await report).toEqual({ acknowledgedBy: 1 })
    await fixture.clock.advance(2_000)
    expect(await hasLeft(fixture)).toBe(false) // whoever asked for it still looks how it went
    await fixture.clock.advance(500)
    expect(await hasLeft(fixture)).toBe(true)
    expect(fixture.clock.pending).toBe(0)
  })

  test('counts only who told it that it is out since it began to leave', async () => {
    const fixture = new Fixture()
    fixture.decommission.noteRefusal(B) // of an earlier removal, from which it came back
    fixture.holdAll()
    const report = fixture.leave()
    await fixture.clock.advance(11_000)
    expect(await report).toEqual({ acknowledgedBy: 0 })
  })

  test('takes no more writes from the moment it began, and none afterwards', async () => {
    const fixture = new Fixture()
    fixture.decommission.admit()
    const report = fixture.leave()
    const refusal = expect.objectContaining({ code: 'ERR_LEAVING' })
    expect(fixture.decommission.isUnderWay).toBe(true)
    expect(() => fixture.decommission.admit()).toThrow(refusal)
    fixture.holdAll()
    await fixture.clock.advance(60_000)
    await report
    expect(() => fixture.decommission.admit()).toThrow(refusal)
  })

  test('does not wait for volumes that are retired', async () => {
    const fixture = new Fixture()
    fixture.held.set(FIRST, 500)
    fixture.retired = [SECOND]
    const report = fixture.leave()
    await fixture.clock.advance(0)
    expect(fixture.steps.at(-1)).toBe('leave')
    await fixture.clock.advance(60_000)
    await report
  })

  test('waits for what comes in while it drains, and never shows less than nothing as done', async () => {
    const fixture = new Fixture()
    const report = fixture.leave()
    await fixture.clock.advance(0)
    fixture.ends.set(SECOND, 1_300) // another member compacts here, say
    await fixture.clock.advance(200)
    expect(fixture.progress.at(-1)).toEqual({ done: 0, total: 800, unit: 'bytes' })
    fixture.held.set(FIRST, 500).set(SECOND, 300)
    await fixture.clock.advance(1_000)
    expect(fixture.steps).toEqual([])
    fixture.holdAll()
    await fixture.clock.advance(60_000)
    await report
  })

  test('tells for ten seconds at most: whoever is away hears of it later', async () => {
    const fixture = new Fixture()
    fixture.holdAll()
    let report: LeaveReport | undefined
    void fixture.leave().then(result => {
      report = result
    })
    await fixture.clock.advance(9_900)
    expect(report).toBeUndefined()
    await fixture.clock.advance(200)
    expect(report).toEqual({ acknowledgedBy: 0 })
  })
})

describe('a node that cannot leave', () => {
  test('stays when nobody is there who could take what it holds', async () => {
    const fixture = new Fixture()
    fixture.alive = []
    await expect(fixture.leave()).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    fixture.decommission.admit()
    expect(fixture.steps).toEqual([])
  })

  test('may go alone when it has left already and only its process is there still', async () => {
    const fixture = new Fixture()
    fixture.alive = []
    fixture.ends.clear()
    fixture.isOut = true
    const report = fixture.leave()
    await fixture.clock.advance(60_000)
    expect(await hasLeft(fixture)).toBe(true)
    expect(await report).toEqual({ acknowledgedBy: 0 })
  })

  test.each(['compare', 'leave'] as const)('stays and takes writes again when %s fails', async step => {
    const fixture = new Fixture()
    fixture.holdAll()
    fixture.failure = { step, error: new SheafError('ERR_DISK_WRITE') }
    await expect(fixture.leave()).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    fixture.decommission.admit()
    await fixture.clock.advance(60_000)
    expect(await hasLeft(fixture)).toBe(false)
    fixture.failure = undefined
    const report = fixture.leave()
    await fixture.clock.advance(60_000)
    await report
    expect(await hasLeft(fixture)).toBe(true)
  })

  test('stays when the job is cancelled while it drains', async () => {
    const fixture = new Fixture()
    const report = fixture.leave()
    await fixture.clock.advance(1_000)
    fixture.abort.abort(new Error('cancelled'))
    await expect(report).rejects.toThrow('cancelled')
    expect(fixture.decommission.isUnderWay).toBe(false)
    expect(fixture.steps).toEqual([])
    expect(fixture.clock.pending).toBe(0)
  })
})
