import { expect, onTestFinished, test } from 'vitest'
import { MemberRecords } from '../../../../src/cluster/members/member-records.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { changeRecord, conflictVersions, type DirectoryRecord, mergeRecords } from '../../../../src/domain/record.js'
import type { MemberRecord } from '../../../../src/network/membership/member-view.js'
import { recordDraft } from '../../../../src/store/record-needles.js'
import { type PhotosFixture, photosFixture } from '../../photos/photos-fixture.js'

const SELF = 'node-a' as NodeId
const TERMS = { formats: { min: 2, max: 3 }, purgeDays: 0.25 }

async function fixture(): Promise<PhotosFixture & { members: MemberRecords }> {
  const base = await photosFixture()
  onTestFinished(() => base.directory.stop())
  const { directory, clock, components } = base
  const members = new MemberRecords({ directory, writer: components.writer, now: () => clock.now(), terms: TERMS })
  return { ...base, members }
}

test('a node’s own record is kept, with the time of its first write', async () => {
  const { members, clock, store, components } = await fixture()
  expect(await members.load()).toEqual([])
  const changes: MemberRecord[] = []
  const stop = members.onChange(member => changes.push(member))
  const joinedAtMs = clock.now()
  await members.save({ id: SELF, name: 'box', addresses: ['/a', '/b'] })
  const first = { id: SELF, name: 'box', addresses: ['/a', '/b'], joinedAtMs, ...TERMS }
  expect(await members.load()).toEqual([first])
  await clock.advance(5_000)
  const needles = store.needles.length
  await members.save({ id: SELF, name: 'box', addresses: ['/a', '/b'] })
  expect(store.needles).toHaveLength(needles)
  await members.save({ id: SELF, name: 'attic', addresses: ['/a', '/b'] })
  await members.save({ id: SELF, name: 'attic', addresses: ['/b'] })
  const album = { kind: 'album', id: 'node-a' }
  await components.writer.write(album, () => [{ kind: 'version', value: new Map([['name', 'sea']]) }])
  stop()
  await members.save({ id: 'node-b' as NodeId, name: 'other', addresses: [] })
  expect(changes).toEqual([first, { ...first, name: 'attic' }, { ...first, name: 'attic', addresses: ['/b'] }])
  expect((await members.load()).map(({ name }) => name)).toEqual(['attic', 'other'])
})

test('what a node tells of its formats and undo period is written anew when it changes, and only then', async () => {
  const { members, directory, store, components, clock } = await fixture()
  const self = { id: SELF, name: 'box', addresses: ['/a'] }
  await members.save(self)
  const later = { formats: { min: 2, max: 4 }, purgeDays: 7 }
  const upgraded = new MemberRecords({
    directory,
    writer: components.writer,
    now: () => clock.now(),
    terms: later
  })
  await upgraded.save(self)
  expect(members.get(SELF)).toMatchObject(later)
  const needles = store.needles.length
  await upgraded.save(self)
  expect(store.needles).toHaveLength(needles)
})

test('a record that a second process wrote under the same id is superseded, not kept as a conflict', async () => {
  const { members, directory, store } = await fixture()
  await members.save({ id: SELF, name: 'box', addresses: [] })
  const own = directory.getSync({ kind: 'member', id: SELF })?.record as DirectoryRecord
  const stamper = { actor: 'ffffffffffffffff' as typeof store.epoch, hlc: () => own.entries[0]?.hlc as never }
  const other = changeRecord({ kind: 'member', id: SELF }, undefined, stamper, [
    { kind: 'version', value: new Map([['name', 'double']]) }
  ])
  await store.append([recordDraft(mergeRecords(own, other))], 'upkeep')
  const both = directory.getSync({ kind: 'member', id: SELF })?.record as DirectoryRecord
  expect(conflictVersions(both)).toHaveLength(1)
  await members.save({ id: SELF, name: 'box 2', addresses: [] })
  const after = directory.getSync({ kind: 'member', id: SELF })?.record as DirectoryRecord
  expect(conflictVersions(after)).toEqual([])
  expect(await members.load()).toEqual([expect.objectContaining({ name: 'box 2' })])
})

test('of a malformed record the well-formed fields are read', async () => {
  const { members, store, hybridClock } = await fixture()
  const stamper = { actor: store.epoch, hlc: () => hybridClock.now() }
  const odd = new Map<string, string | number | (string | number)[]>([
    ['name', 'x'.repeat(1_000)],
    ['addresses', [1, '/a', 'y'.repeat(1_000), ...Array.from({ length: 20 }, (_, i) => `/${i}`)]],
    ['joined_at', 'yesterday'],
    ['formats', [3, 2]],
    ['purge_days', 36_501]
  ])
  const record = changeRecord({ kind: 'member', id: 'node-x' }, undefined, stamper, [{ kind: 'version', value: odd }])
  await store.append([recordDraft(record)], 'upkeep')
  expect(await members.load()).toEqual([
    {
      id: 'node-x',
      name: 'x'.repeat(256),
      addresses: ['/a', '/0', '/1', '/2', '/3', '/4', '/5', '/6'],
      joinedAtMs: undefined
    }
  ])
})

test('a node that left or was removed is no member, whatever it writes meanwhile, until it is readmitted', async () => {
  const { members } = await fixture()
  await members.save({ id: SELF, name: 'box', addresses: ['/a'] })
  expect(members.get(SELF)?.departure).toBeUndefined()
  await members.depart(SELF, 'removed')
  expect(members.get(SELF)?.departure?.how).toBe('removed')
  await members.save({ id: SELF, name: 'box again', addresses: ['/b'] })
  expect(members.get(SELF)).toMatchObject({ name: 'box', departure: { how: 'removed' } })
  await members.readmit(SELF)
  expect(members.get(SELF)).toMatchObject({ name: 'box', addresses: ['/a'] })
  expect(members.get(SELF)?.departure).toBeUndefined()
  await members.depart(SELF, 'left')
  expect(members.get(SELF)?.departure).toMatchObject({ how: 'left' })
})

test('a departure beats what the node wrote of itself at the same time', async () => {
  const { members, directory, store, hybridClock } = await fixture()
  await members.save({ id: SELF, name: 'box', addresses: [] })
  const before = directory.getSync({ kind: 'member', id: SELF })?.record as DirectoryRecord
  await members.depart(SELF, 'removed')
  const stamper = { actor: 'ffffffffffffffff' as typeof store.epoch, hlc: () => hybridClock.now() }
  const renamed = changeRecord(before, before, stamper, [{ kind: 'version', value: new Map([['name', 'later']]) }])
  await store.append([recordDraft(renamed)], 'upkeep')
  expect(members.get(SELF)).toMatchObject({ name: 'box', departure: { how: 'removed' } })
})
