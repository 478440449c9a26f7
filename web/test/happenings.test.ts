import { expect, test } from 'vitest'
import type { RecentEvent } from '../src/api/client.js'
import { happeningsOf } from '../src/pages/happenings.js'

let made = 0
const event = (type: RecentEvent['type'], node_id?: string): RecentEvent => {
  return { id: `${made++}`, type, at: '2026-12-01T12:00:00Z', ...(node_id === undefined ? {} : { node_id }) }
}

test('what happens again and again is one line, told by the newest; as many lines as there is room for', () => {
  const added = [event('photo.uploaded'), event('photo.uploaded'), event('photo.uploaded')]
  const events = [
    ...added,
    event('photo.deleted'),
    event('member.up', 'b'),
    event('member.up', 'c'),
    event('repair.done', 'c')
  ]
  const lines = happeningsOf(events, 4).map(({ type, count, nodeId }) => [type, count, nodeId])
  expect(lines).toEqual([
    ['photo.uploaded', 3, undefined],
    ['photo.deleted', 1, undefined],
    ['member.up', 1, 'b'],
    ['member.up', 1, 'c']
  ])
  expect(happeningsOf(events, 4)[0]?.id).toBe(added[0]?.id)
  expect(happeningsOf([{ ...event('photo.updated'), photo_id: 'p' }], 4)[0]?.photoId).toBe('p')
  expect(happeningsOf([], 4)).toEqual([])
})
