import { describe, expect, test } from 'vitest'
import { CompactionOwner } from '../../../../src/cluster/members/compaction-owner.js'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { rendezvous } from '../../../../src/domain/rendezvous.js'
import type { MemberState, MemberView } from '../../../../src/network/membership/member-view.js'
import type { Volume } from '../../../../src/volumes/volume.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'
import { originOf } from '../../../support/simulated-node.js'

const NODES = ['a', 'b', 'c', 'd'] as NodeId[]
const WRITER = 'a' as NodeId
const DAY_MS = 24 * 3_600_000
/** Of one writer; enough for each of the others to be the first choice of some. */
const VOLUMES = Array.from({ length: 20 }, (_, i) => `00000000000000aa-${i + 1}` as VolumeId)

function volumeOf(id: VolumeId, writer: NodeId = WRITER): Volume {
  return { id, superblock: { origin: originOf(writer) } } as unknown as Volume
}

/** Members that all see the same of each other. */
class Fixture {
  readonly clock = new SimulatedClock()
  readonly states = new Map<NodeId, MemberState>(NODES.map(node => [node, 'alive']))
  readonly lastSeen = new Map<NodeId, number>()
  readonly #owners = new Map(
    NODES.map(self => {
      const nodeOf = (origin: Uint8Array): NodeId => Buffer.from(origin.subarray(0, 1)).toString() as NodeId
      return [self, new CompactionOwner({ self, members: () => this.#seenBy(self), nodeOf, clock: this.clock })]
    })
  )

  /** @returns those who take themselves for the volume's owner */
  ownersOf(volume: Volume, nodes: readonly NodeId[] = NODES): NodeId[] {
    return nodes.filter(node => this.#owners.get(node)?.ownership()(volume))
  }

  #seenBy(self: NodeId): MemberView[] {
    return Array.from(this.states, ([id, state]) => {
      return { id, self: id === self, state, lastSeenAtMs: this.lastSeen.get(id) } as MemberView
    })
  }
}

const others = NODES.filter(node => node !== WRITER)

describe('who compacts a volume', () => {
  test('its writer, and nobody else', () => {
    const fixture = new Fixture()
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id))).toEqual([WRITER])
  })

  test('the writer itself also when it believes that all others are gone, and when none knows it yet', () => {
    const fixture = new Fixture()
    for (const node of others) fixture.states.set(node, 'left')
    expect(fixture.ownersOf(volumeOf(VOLUMES[0] as VolumeId))).toEqual([WRITER])
    fixture.states.clear()
    expect(fixture.ownersOf(volumeOf(VOLUMES[0] as VolumeId), [WRITER])).toEqual([WRITER])
  })

  test('of a volume whose superblock is damaged, nobody', () => {
    const fixture = new Fixture()
    const damaged = { id: VOLUMES[0], superblock: undefined } as unknown as Volume
    expect(fixture.ownersOf(damaged)).toEqual([])
  })

  test('when its writer has left: the first of the others in rendezvous order, another one for each volume', () => {
    const fixture = new Fixture()
    fixture.states.set(WRITER, 'left')
    const owners = new Set<NodeId>()
    for (const id of VOLUMES) {
      const owner = rendezvous(id, others)[0] as NodeId
      expect(fixture.ownersOf(volumeOf(id), others)).toEqual([owner])
      owners.add(owner)
    }
    expect(owners.size).toBe(others.length)
  })

  test('of a writer that nobody remembers: one of those who are there', () => {
    const fixture = new Fixture()
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id, 'x' as NodeId))).toEqual([rendezvous(id, NODES)[0]])
  })

  test.each(['down', 'suspect', 'via', 'alive'] as const)('a writer that is %s is waited for', state => {
    const fixture = new Fixture()
    fixture.states.set(WRITER, state)
    fixture.lastSeen.set(WRITER, fixture.clock.now() - (state === 'down' ? DAY_MS - 1 : 10 * DAY_MS))
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id), others)).toEqual([])
  })

  test('one that has been down for a day is not waited for any longer, until it is back', () => {
    const fixture = new Fixture()
    fixture.states.set(WRITER, 'down')
    fixture.lastSeen.set(WRITER, fixture.clock.now() - DAY_MS)
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id), others)).toHaveLength(1)
    fixture.states.set(WRITER, 'alive')
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id))).toEqual([WRITER])
  })

  test('of one that this process never heard, the day begins with the process', async () => {
    const fixture = new Fixture()
    fixture.states.set(WRITER, 'down')
    const volume = volumeOf(VOLUMES[0] as VolumeId)
    await fixture.clock.advance(DAY_MS - 1)
    expect(fixture.ownersOf(volume, others)).toEqual([])
    await fixture.clock.advance(1)
    expect(fixture.ownersOf(volume, others)).toHaveLength(1)
  })

  test('a node counts itself among those who are there, even while it leaves', () => {
    const fixture = new Fixture()
    for (const node of NODES) fixture.states.set(node, 'left')
    for (const node of others) expect(fixture.ownersOf(volumeOf(VOLUMES[0] as VolumeId), [node])).toEqual([node])
  })

  test('who is down for long takes nothing over either', () => {
    const fixture = new Fixture()
    fixture.states.set(WRITER, 'left')
    fixture.states.set('b' as NodeId, 'down')
    fixture.lastSeen.set('b' as NodeId, fixture.clock.now() - DAY_MS)
    const rest = ['c', 'd'] as NodeId[]
    for (const id of VOLUMES) expect(fixture.ownersOf(volumeOf(id), rest)).toEqual([rendezvous(id, rest)[0]])
  })
})
