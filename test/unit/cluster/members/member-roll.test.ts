import { expect, test } from 'vitest'
import { MemberRoll, undoPeriodMs } from '../../../../src/cluster/members/member-roll.js'
import type { Hlc } from '../../../../src/domain/hlc.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import type { MemberRecord } from '../../../../src/network/membership/member-view.js'

const DAY_MS = 86_400_000

function member(id: string, purgeDays?: number): MemberRecord {
  return {
    id: id as NodeId,
    name: id,
    addresses: [],
    joinedAtMs: 1,
    ...(purgeDays === undefined ? {} : { purgeDays })
  }
}

test('the undo period is the longest of all members, and 30 days for one that does not say', () => {
  expect(undoPeriodMs([], 5)).toBe(5)
  expect(undoPeriodMs([{ purgeDays: 0.5 }, { purgeDays: 3 }], DAY_MS)).toBe(3 * DAY_MS)
  expect(undoPeriodMs([{ purgeDays: 0.5 }, { purgeDays: 3 }], 4 * DAY_MS)).toBe(4 * DAY_MS)
  expect(undoPeriodMs([{ purgeDays: 3 }, {}], DAY_MS)).toBe(30 * DAY_MS)
})

test('absent members count, departed ones do not, and of this node its setting and not what its record says', async () => {
  const listeners = new Set<(member: MemberRecord) => void>()
  const roll = new MemberRoll({
    self: 'a' as NodeId,
    purgeMs: DAY_MS,
    records: {
      load: async () => [member('a', 100), member('b', 2)],
      onChange: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      }
    }
  })
  const change = (record: MemberRecord): void => {
    for (const listener of listeners) listener(record)
  }
  await roll.start()
  expect(roll.undoPeriodMs()).toBe(2 * DAY_MS)
  change(member('c', 50))
  expect([roll.others().map(({ id }) => id), roll.undoPeriodMs()]).toEqual([['b', 'c'], 50 * DAY_MS])
  change({ ...member('c', 50), departure: { how: 'removed', at: 1n as Hlc } })
  expect([roll.undoPeriodMs(), roll.isLast()]).toEqual([2 * DAY_MS, false])
  change({ ...member('b'), departure: { how: 'left', at: 1n as Hlc } })
  expect([roll.others(), roll.isLast()]).toEqual([[], true])
  change(member('b', 2))
  await roll.stop()
  change(member('d', 60))
  expect(roll.undoPeriodMs()).toBe(2 * DAY_MS)
})
