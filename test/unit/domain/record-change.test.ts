import { describe, expect, it } from 'vitest'
import type { Value } from '../../../src/domain/cbor.js'
import { GENERATION_MAX } from '../../../src/domain/entry.js'
import { HLC_MAX, type Hlc, HybridClock, hlcFrom } from '../../../src/domain/hlc.js'
import {
  type Change,
  CONFLICT_VERSIONS_MAX,
  changeRecord,
  conflictVersions,
  type DirectoryRecord,
  elementsOf,
  mergeRecords,
  shownVersion
} from '../../../src/domain/record.js'
import { ACTORS, countingStamper, NOW_MS, PHOTO_KEY } from '../../support/domain-arbitraries.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

const [A, B, C] = ACTORS as [(typeof ACTORS)[0], (typeof ACTORS)[0], (typeof ACTORS)[0]]

function named(name: string, more: Partial<Extract<Change, { kind: 'version' }>> = {}): Change {
  return { kind: 'version', value: new Map([['name', name]]), ...more }
}

function write(before: DirectoryRecord | undefined, actor: typeof A, ...changes: Change[]): DirectoryRecord {
  return changeRecord(PHOTO_KEY, before, countingStamper(actor), changes)
}

const nameOf = (entry: { value: ReadonlyMap<string, Value> }): Value | undefined => entry.value.get('name')
const keysOf = (record: DirectoryRecord, field: string): string[] => elementsOf(record, field).map(({ key }) => key)
const add = (key: string, value?: ReadonlyMap<string, Value>): Change =>
  value === undefined ? { kind: 'add', field: 'tags', key } : { kind: 'add', field: 'tags', key, value }
const remove = (key: string): Change => ({ kind: 'remove', field: 'tags', key })

describe('changeRecord', () => {
  const born = write(undefined, A, named('one'), add('x'), add('y'))

  it('gives each entry its own dot, and all of them one stamp', () => {
    expect(born.entries.map(({ dot }) => dot)).toEqual([1, 2, 3].map(counter => ({ actor: A, counter })))
    expect(new Set(born.entries.map(({ hlc }) => hlc)).size).toBe(1)
    expect(born.context).toEqual(new Map([[A, 3]]))
  })

  it('does not modify its arguments', () => {
    const copy = structuredClone(born)
    write(born, B, named('two', { deleted: true }), remove('x'), add('z'))
    expect(born).toEqual(copy)
  })

  it('stamps above all that the record holds', () => {
    const far = { actor: B, hlc: () => hlcFrom(Date.UTC(2099, 0, 1)) }
    const poisoned = changeRecord(PHOTO_KEY, born, far, [add('z')])
    const next = write(poisoned, A, named('two'))
    expect(shownVersion(next).hlc).toBe((hlcFrom(Date.UTC(2099, 0, 1)) + 1n) as Hlc)
  })

  it('replaces the shown version and leaves the conflict versions', () => {
    const [mine, theirs] = [write(born, B, named('b')), write(born, C, named('c'))]
    const merged = mergeRecords(mine, theirs)
    expect(nameOf(shownVersion(merged))).toBe('c')
    expect(conflictVersions(merged).map(nameOf)).toEqual(['b'])
    const next = write(merged, A, named('d'))
    expect(nameOf(shownVersion(next))).toBe('d')
    expect(conflictVersions(next).map(nameOf)).toEqual(['b'])
    const all = conflictVersions(merged).concat(shownVersion(merged))
    const resolved = write(merged, A, named('e', { supersedes: all.map(({ dot }) => dot) }))
    expect(conflictVersions(resolved)).toEqual([])
    expect(conflictVersions(mergeRecords(resolved, merged))).toEqual([])
  })

  it('trims the oldest conflict versions, and a merge does not restore them', () => {
    const siblings = Array.from({ length: 20 }, (_, n) =>
      changeRecord(PHOTO_KEY, born, countingStamper(`${'0'.repeat(14)}${n + 10}` as typeof A, NOW_MS + 1000 * n), [
        named(`n${n}`)
      ])
    )
    const merged = siblings.reduce(mergeRecords)
    expect(conflictVersions(merged)).toHaveLength(19)
    const trimmed = write(merged, A, named('last'))
    const kept = Array.from({ length: CONFLICT_VERSIONS_MAX }, (_, n) => `n${18 - n}`)
    expect(conflictVersions(trimmed).map(nameOf)).toEqual(kept)
    expect(conflictVersions(mergeRecords(siblings[0]!, mergeRecords(trimmed, merged))).map(nameOf)).toEqual(kept)
  })

  it('removes what it has seen; a concurrent add survives', () => {
    const removed = write(born, B, remove('x'))
    const added = write(born, C, add('x'))
    expect(keysOf(removed, 'tags')).toEqual(['y'])
    expect(keysOf(mergeRecords(removed, born), 'tags')).toEqual(['y'])
    expect(keysOf(mergeRecords(removed, added), 'tags').sort()).toEqual(['x', 'y'])
    expect(write(removed, A, remove('never'))).toEqual(removed)
  })

  it('replaces an element by a later add of it, with its value unless a new one is given', () => {
    const valued = write(born, A, add('x', new Map([['by', 'me']])))
    const again = write(valued, B, add('x'))
    expect(again.entries.filter(({ key }) => key === 'x').map(({ value }) => value)).toEqual([new Map([['by', 'me']])])
    expect(keysOf(write(born, A, add('z'), add('z'), remove('y')), 'tags')).toEqual(['x', 'z'])
  })

  it('drops elements under a greater rank, unless they are carried or added again', () => {
    const dead = write(born, B, named('one', { deleted: true }))
    expect(keysOf(dead, 'tags')).toEqual([])
    expect(dead.entries).toHaveLength(1)
    const carried = write(born, B, named('one', { deleted: true, carry: ({ key }) => key === 'x' }), add('z'))
    expect(keysOf(carried, 'tags')).toEqual(['x', 'z'])
    const back = write(carried, B, named('one', { generation: 1, deleted: false, carry: () => true }))
    expect(keysOf(back, 'tags')).toEqual(['x', 'z'])
    expect(keysOf(mergeRecords(back, mergeRecords(carried, born)), 'tags')).toEqual(['x', 'z'])
  })

  it('carries concurrent elements of one key in their order', () => {
    const later = { actor: B, hlc: () => hlcFrom(NOW_MS + 9) }
    const one = changeRecord(PHOTO_KEY, born, later, [add('x', new Map([['n', 1]]))])
    const merged = mergeRecords(one, write(born, C, add('x', new Map([['n', 2]]))))
    const dead = write(merged, A, named('one', { deleted: true, carry: () => true }))
    expect(
      elementsOf(dead, 'tags')
        .filter(({ key }) => key === 'x')
        .map(({ value }) => value.get('n'))
    ).toEqual([2, 1])
  })

  it('hides an element added concurrently with a delete, and drops it with the next write', () => {
    const merged = mergeRecords(write(born, B, named('one', { deleted: true })), write(born, C, add('z')))
    expect(shownVersion(merged).deleted).toBe(true)
    expect(elementsOf(merged, 'tags')).toEqual([])
    expect(merged.entries.map(({ key }) => key)).toContain('z')
    const next = write(merged, A, named('one', { generation: 1, deleted: false }))
    expect(next.entries.map(({ key }) => key)).not.toContain('z')
    const carrying = write(merged, A, named('one', { generation: 1, deleted: false, carry: () => true }))
    expect(carrying.entries.map(({ key }) => key)).not.toContain('z')
  })

  it('refuses a version with a lower rank than the shown one', () => {
    const dead = write(born, B, named('one', { deleted: true }))
    expect(() => write(dead, A, named('two', { deleted: false }))).toThrow('beaten')
    const second = write(dead, B, named('one', { generation: 1, deleted: false }))
    expect(() => write(second, A, named('two', { generation: 0, deleted: true }))).toThrow('beaten')
  })

  it('begins no life beyond the last that there can be', () => {
    const last = write(born, A, named('last', { generation: GENERATION_MAX }))
    const next = () => write(last, A, named('next', { generation: GENERATION_MAX + 1 }))
    expect(next).toThrow(expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' }))
    expect(nameOf(shownVersion(write(last, A, named('edited'))))).toBe('edited')
  })

  it('is shown although it saw stamps that none can follow', () => {
    const forged = [B, C].map(actor =>
      changeRecord(PHOTO_KEY, born, { actor, hlc: () => HLC_MAX }, [named(`of ${actor}`, { supersedes: [] })])
    ) as [DirectoryRecord, DirectoryRecord]
    const clock = new HybridClock({ clock: new SimulatedClock(NOW_MS) })
    const stamper = { actor: A, hlc: (seen: Iterable<Hlc>) => clock.after(seen) }
    const once = changeRecord(PHOTO_KEY, mergeRecords(...forged), stamper, [named('mine')])
    const twice = changeRecord(PHOTO_KEY, once, stamper, [named('mine again')])
    expect([once, twice].map(record => nameOf(shownVersion(record)))).toEqual(['mine', 'mine again'])
  })

  it('refuses two versions in one write, the removal of versions, and another key', () => {
    expect(() => write(born, A, named('a'), named('b'))).toThrow('one version')
    expect(() => write(born, A, { kind: 'remove', field: 'version', key: '' })).toThrow('superseded')
    expect(() => changeRecord({ kind: 'album', id: 'x' }, born, countingStamper(), [])).toThrow('another key')
  })

  it('replaces text that UTF-8 cannot encode', () => {
    const record = write(undefined, A, named('\ud800'), add('t\udc00'))
    expect(nameOf(shownVersion(record))).toBe('\ufffd')
    expect(keysOf(record, 'tags')).toEqual(['t\ufffd'])
    expect(keysOf(write(record, A, remove('t\udc00')), 'tags')).toEqual([])
  })
})

describe('shownVersion', () => {
  it('is malformed without a version', () => {
    expect(() => shownVersion({ ...PHOTO_KEY, context: new Map(), entries: [] })).toThrow(
      expect.objectContaining({ code: 'ERR_RECORD_MALFORMED' })
    )
  })
})
