import { describe, expect, it } from 'vitest'
import type { VolumeId } from '../../../../src/domain/ids.js'
import { ReplicationLag } from '../../../../src/replication/volumes/replication-lag.js'
import type { Volume } from '../../../../src/volumes/volume.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const VOLUME = 'volume' as VolumeId

describe('the age of what no other node is known to hold', () => {
  it('ends when another has it, and when its volume was compacted before', async () => {
    const clock = new SimulatedClock()
    const acknowledged = new Map<VolumeId, number>()
    const here = new Set<VolumeId>([VOLUME])
    let grow: (volume: Volume) => void = () => {}
    const lag = new ReplicationLag({
      clock,
      peers: { acknowledged: id => acknowledged.get(id) ?? 0 },
      volumes: {
        get: id => (here.has(id) ? ({ id } as Volume) : undefined),
        isOfThisProcess: () => true,
        onGrowth: listener => {
          grow = listener
          return () => true
        }
      }
    })
    const grown = async (end: number): Promise<void> => {
      grow({ id: VOLUME, end } as Volume)
      await clock.advance(2_000)
    }
    await grown(1_000)
    expect(lag.oldestMs()).toBe(2_000)
    acknowledged.set(VOLUME, 1_000)
    expect(lag.oldestMs()).toBeUndefined()
    await grown(2_000)
    expect(lag.oldestMs()).toBe(2_000)
    here.delete(VOLUME)
    expect(lag.oldestMs()).toBeUndefined()
  })
})
