import { beforeEach, expect, test } from 'vitest'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { PeerVolumes } from '../../../../src/replication/volumes/peer-volumes.js'
import { UnderReplication } from '../../../../src/replication/volumes/under-replication.js'
import type { Volume } from '../../../../src/volumes/volume.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const MINUTE_MS = 60_000
const [V, W] = ['v', 'w'] as [VolumeId, VolumeId]
const PEER = 'peer' as NodeId

let clock: SimulatedClock
let peers: PeerVolumes
let held: Map<VolumeId, number>
let grow: (id: VolumeId, end: number) => void
let retired: Set<VolumeId>
let isAlone: boolean
let underReplication: UnderReplication

beforeEach(() => {
  clock = new SimulatedClock()
  peers = new PeerVolumes()
  held = new Map()
  retired = new Set()
  isAlone = false
  let onGrowth: (volume: Volume) => void = () => {}
  grow = (id, end) => {
    held.set(id, end)
    onGrowth({ id, end } as Volume)
  }
  underReplication = new UnderReplication({
    clock,
    peers,
    volumes: {
      volumes: () => Array.from(held, ([id, end]) => ({ id, end }) as Volume),
      onGrowth: listener => {
        onGrowth = listener
        return () => {}
      }
    },
    isRetired: id => retired.has(id),
    isAlone: () => isAlone
  })
})

test('bytes count once they are five minutes old, and until another disk has them', async () => {
  grow(V, 100)
  expect(underReplication.count()).toEqual({ volumes: 0, bytes: 0 })
  await clock.advance(4 * MINUTE_MS)
  expect(underReplication.count()).toEqual({ volumes: 0, bytes: 0 })
  await clock.advance(MINUTE_MS)
  expect(underReplication.count()).toEqual({ volumes: 1, bytes: 100 })
  peers.noteAcknowledged(PEER, V, 60)
  expect(underReplication.count()).toEqual({ volumes: 1, bytes: 40 })
  peers.noteAcknowledged(PEER, V, 100)
  expect(underReplication.count()).toEqual({ volumes: 0, bytes: 0 })
})

test('a volume that grows all the time is measured by what it was', async () => {
  for (let minute = 0; minute <= 20; minute++) {
    grow(V, 1_000 + minute)
    await clock.advance(MINUTE_MS)
  }
  const { bytes } = underReplication.count()
  expect(bytes).toBeGreaterThanOrEqual(1_010)
  expect(bytes).toBeLessThanOrEqual(1_016)
  peers.noteAcknowledged(PEER, V, 1_018)
  expect(underReplication.count()).toEqual({ volumes: 0, bytes: 0 })
})

test('what a peer had that is gone now is on one disk again', async () => {
  grow(V, 100)
  peers.noteAcknowledged(PEER, V, 100)
  await clock.advance(6 * MINUTE_MS)
  expect(underReplication.count().volumes).toBe(0)
  peers.forget(PEER)
  expect(underReplication.count().volumes).toBe(1)
  isAlone = true
  expect(underReplication.count().volumes).toBe(0)
})

test('retired volumes do not count, nor do those that are gone', async () => {
  grow(V, 100)
  grow(W, 100)
  await clock.advance(6 * MINUTE_MS)
  expect(underReplication.count().volumes).toBe(2)
  retired.add(V)
  held.delete(W)
  expect(underReplication.count().volumes).toBe(0)
})
