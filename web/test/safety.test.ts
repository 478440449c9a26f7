import { describe, expect, test } from 'vitest'
import type { Cluster, Member, Status } from '../src/api/client.js'
import { safetyOf } from '../src/pages/safety.js'

const DISK = { free_bytes: 50, total_bytes: 100, full: false }

function member(name: string, change: Partial<Member> = {}): Member {
  return {
    id: `id of ${name}`,
    name,
    addresses: [],
    self: name === 'a',
    state: 'alive',
    last_seen: '2026-12-01T12:00:00Z',
    joined_at: null,
    lag_bytes: 0,
    disk: DISK,
    version: '1.0.0',
    record_formats: null,
    clock_skew_ms: 0,
    purged_to: null,
    http: [],
    started_at: null,
    photos: null,
    directory_digest: null,
    bytes_per_s: null,
    eta_s: null,
    ...change
  }
}

function cluster(members: readonly Member[], change: Partial<Cluster> = {}): Cluster {
  return { members, record_format: 3, purged_to: null, laid_out: [], laid_out_alarm: false, ...change }
}

const STATUS: Status = {
  node_id: 'id of a',
  version: '1.0.0',
  photos: 10,
  bytes: 1_000,
  volumes: 1,
  directory_digest: '',
  newer_format_records: 0,
  damaged_bytes: 0,
  disk: { free_bytes: 1, total_bytes: 2 },
  oldest_unreplicated_s: null
}

const two = [member('a'), member('b')]

test('two machines that have everything are safe', () => {
  expect(safetyOf(cluster(two), STATUS)).toMatchObject({ level: 'safe', title: 'All photos are safe: on 2 machines' })
  const three = [...two, member('c', { state: 'left' })]
  expect(safetyOf(cluster(three), STATUS).title).toBe('All photos are safe: on 2 machines')
})

test('one machine alone is not, whatever it has', () => {
  expect(safetyOf(cluster([member('a')]), STATUS).level).toBe('attention')
  expect(safetyOf(cluster([member('a'), member('b', { state: 'left' })]), STATUS).level).toBe('attention')
})

describe('what is not known is not called safe', () => {
  test.each([
    ['what a machine lacks', [member('a'), member('b', { lag_bytes: null })]],
    ['what this one lacks', [member('a', { lag_bytes: null }), member('b')]],
    ['bytes are still to come', [member('a'), member('b', { lag_bytes: 1 })]]
  ])('%s', (_, members) => {
    expect(safetyOf(cluster(members), STATUS).level).toBe('copying')
  })
})

describe('what needs a look', () => {
  test.each<readonly [string, readonly Member[], Partial<Cluster>, Partial<Status>, string]>([
    ['a machine that is gone', [member('a'), member('b', { state: 'down' })], {}, {}, 'b'],
    ['one that does not answer', [member('a'), member('b', { state: 'suspect' })], {}, {}, 'b'],
    ['a full disk', [member('a'), member('b', { disk: { ...DISK, full: true } })], {}, {}, 'b'],
    ['damage', two, {}, { damaged_bytes: 4_096 }, '4.1 KB'],
    ['photos that stay on one machine', two, {}, { oldest_unreplicated_s: 7_200 }, '2 hours'],
    ['an alarm of what was laid out', two, { laid_out_alarm: true }, {}, 'operator']
  ])('%s', (_, members, change, status, word) => {
    const { level, reasons } = safetyOf(cluster(members, change), { ...STATUS, ...status })
    expect(level).toBe('attention')
    expect(reasons.join(' ')).toContain(word)
  })

  test('photos that came a moment ago do not', () => {
    expect(safetyOf(cluster(two), { ...STATUS, oldest_unreplicated_s: 20 }).level).toBe('safe')
  })
})
