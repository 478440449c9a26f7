import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AlbumAudience } from '../../../src/domain/audience.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, AlbumId, UserId } from '../../../src/domain/ids.js'
import { type Change, changeRecord, type DirectoryRecord, mergeRecords } from '../../../src/domain/record.js'
import {
  createShareLinkChanges,
  formatLinkSecret,
  isInForce,
  isLinked,
  isSecretOf,
  LINK_KIND,
  type LinkTerms,
  linkDigest,
  linkIdOf,
  parseLinkSecret,
  revokeShareLinkChanges,
  type ShareLink,
  setOf,
  termsChange,
  viewShareLink
} from '../../../src/domain/share-link.js'
import { endedLife, isBuriable, isExhumable } from '../../../src/domain/tombstone.js'
import { ACTORS, hostileRecordArb, NOW_MS } from '../../support/domain-arbitraries.js'

const ANNA = '01990000-0000-7000-8000-0000000000e1' as UserId
const BEN = '01990000-0000-7000-8000-0000000000e2' as UserId
const MEER = '01990000-0000-7000-8000-0000000000a1' as AlbumId
const SECRET = Buffer.alloc(24, 7)
const key = { kind: LINK_KIND, id: linkIdOf(SECRET) }
const FULL: LinkTerms = {
  role: 'contributor',
  download: true,
  metadata: true,
  untilMs: NOW_MS + 1_000,
  phc: undefined,
  label: 'Grandma'
}
const AUDIENCE: AlbumAudience = { owner: ANNA, grants: new Map() }
const surroundings = { albumOf: () => AUDIENCE, groupsOf: () => [], isOpen: (id: UserId) => id === ANNA }

function write(
  before: DirectoryRecord | undefined,
  ms: number,
  changes: readonly Change[],
  actor = 0
): DirectoryRecord {
  return changeRecord(key, before, { actor: ACTORS[actor] as ActorId, hlc: () => hlcFrom(ms) }, changes)
}

function born(terms: Partial<LinkTerms> = {}, album: AlbumId | undefined = MEER): DirectoryRecord {
  const link = { sha256: linkDigest(SECRET), album, by: ANNA, createdAtMs: NOW_MS, ...FULL, ...terms }
  return write(undefined, NOW_MS, createShareLinkChanges(link))
}

const viewOf = (record: DirectoryRecord): ShareLink => viewShareLink(record) as ShareLink

describe('a link', () => {
  it('is named by its secret, which its record does not have', () => {
    const text = formatLinkSecret(SECRET)
    expect(text).toHaveLength(32)
    expect(parseLinkSecret(text)).toEqual(SECRET)
    for (const other of ['', `${text}A`, text.slice(1), `${text.slice(1)}=`, key.id])
      expect(parseLinkSecret(other)).toBeUndefined()
    const link = viewOf(born())
    expect(link).toMatchObject({ id: key.id, album: MEER, by: ANNA, ...FULL, proof: '', isRevoked: false })
    expect([isSecretOf(link, SECRET), isSecretOf(link, Buffer.alloc(24, 8))]).toEqual([true, false])
    expect(JSON.stringify([...born().entries.map(({ value }) => [...value])])).not.toContain(text)
  })

  it('counts while it lives, has not ended, and its maker is there and may share the album', () => {
    const link = viewOf(born())
    expect(isInForce(link, surroundings, NOW_MS)).toBe(true)
    expect(isInForce(link, surroundings, NOW_MS + 1_000)).toBe(false)
    expect(isInForce(viewOf(born({ untilMs: undefined })), surroundings, Number.MAX_SAFE_INTEGER)).toBe(true)
    expect(isInForce(link, { ...surroundings, isOpen: () => false }, NOW_MS)).toBe(false)
    expect(isInForce(link, { ...surroundings, albumOf: () => undefined }, NOW_MS)).toBe(false)
    expect(isInForce(link, { ...surroundings, albumOf: () => ({ ...AUDIENCE, owner: BEN }) }, NOW_MS)).toBe(false)
    const before = born()
    expect(isInForce(viewOf(write(before, NOW_MS + 1, revokeShareLinkChanges(before))), surroundings, NOW_MS)).toBe(
      false
    )
  })

  it('opens the photos of its album; without one those of its maker that have its label', () => {
    const of = (owner: UserId | undefined, ...albums: AlbumId[]): { owner: UserId | undefined; albums: AlbumId[] } => ({
      owner,
      albums
    })
    const link = viewOf(born())
    expect([isLinked(link, of(BEN, MEER), 'everyone'), isLinked(link, of(ANNA), 'everyone')]).toEqual([true, false])
    const record = write(
      undefined,
      NOW_MS,
      createShareLinkChanges({ sha256: linkDigest(SECRET), album: undefined, by: ANNA, createdAtMs: NOW_MS, ...FULL })
    )
    const set = viewOf(record)
    expect(set.album).toBeUndefined()
    expect(isLinked(set, of(ANNA, setOf(set.id)), 'everyone')).toBe(true)
    expect(isLinked(set, of(BEN, setOf(set.id)), 'everyone')).toBe(false)
    expect(isLinked(set, of(undefined, setOf(set.id)), 'everyone')).toBe(false)
    expect(isLinked(set, of(ANNA, MEER), 'everyone')).toBe(false)
  })

  it('gives of terms that were written at the same time the least of each', () => {
    const before = born()
    const a = write(before, NOW_MS + 1, [termsChange({ ...FULL, role: 'viewer', untilMs: undefined, phc: 'x' })], 0)
    const b = write(before, NOW_MS + 2, [termsChange({ ...FULL, download: false, untilMs: NOW_MS + 500 })], 1)
    const merged = viewOf(mergeRecords(a, b))
    expect(merged).toEqual(viewOf(mergeRecords(b, a)))
    expect(merged).toMatchObject({ role: 'viewer', download: false, metadata: true, untilMs: NOW_MS + 500, phc: 'x' })
    expect(merged.proof).toHaveLength(16)
    const seen = write(mergeRecords(a, b), NOW_MS + 3, [termsChange(FULL)])
    expect(viewOf(seen)).toMatchObject(FULL)
  })

  it('stays withdrawn, whatever is said of it on the other side of a cut, and can be buried', () => {
    const before = born()
    const gone = write(before, NOW_MS + 1, revokeShareLinkChanges(before), 0)
    const edited = write(before, NOW_MS + 9_000, [termsChange({ ...FULL, untilMs: undefined })], 1)
    expect(viewOf(mergeRecords(edited, gone)).isRevoked).toBe(true)
    expect(revokeShareLinkChanges(gone)).toEqual([])
    expect([isBuriable(key), isExhumable(key), endedLife(gone)]).toEqual([true, false, 0])
  })

  it('is closed rather than open where its terms cannot be read', () => {
    const odd = (value: ReadonlyMap<string, string>): ShareLink =>
      viewOf(write(born(), NOW_MS + 1, [{ kind: 'add', field: 'terms', key: 'terms', value }]))
    expect(odd(new Map())).toMatchObject({ role: 'viewer', download: false, metadata: false, phc: undefined })
    expect(odd(new Map([['until', 'tomorrow']]))).toMatchObject({ untilMs: 0 })
    expect(odd(new Map([['phc', 'x'.repeat(10_000)]]))).toMatchObject({ phc: '' })
  })

  it('is nothing where the record is of anything else, and never throws', () => {
    expect(viewShareLink({ ...born(), id: 'x' })).toBeUndefined()
    expect(viewShareLink({ ...born(), kind: 'key' })).toBeUndefined()
    const names = ['sha256', 'album', 'by', 'created', 'role', 'download', 'metadata', 'until', 'phc', 'label']
    fc.assert(
      fc.property(hostileRecordArb(key, ['terms'], ['terms'], names), record => {
        const { id = key.id, label = '' } = viewShareLink(record) ?? {}
        expect([id, label.length <= 1_000]).toEqual([key.id, true])
      })
    )
  })
})
