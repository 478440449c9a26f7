import { describe, expect, it } from 'vitest'
import {
  ALBUM_KIND,
  albumIdOfLabel,
  createAlbumChanges,
  deleteAlbumChanges,
  editAlbumChanges,
  restoreAlbumChanges,
  reviveAlbumChanges,
  viewAlbum
} from '../../../src/domain/album.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import type { ActorId, AlbumId, UserId } from '../../../src/domain/ids.js'
import {
  type Change,
  changeRecord,
  conflictVersions,
  type DirectoryRecord,
  mergeRecords
} from '../../../src/domain/record.js'
import { endedLife } from '../../../src/domain/tombstone.js'

const id = '01234567-89ab-7cde-8f01-23456789abcd' as AlbumId
const key = { kind: ALBUM_KIND, id }

function write(
  before: DirectoryRecord | undefined,
  ms: number,
  changes: readonly Change[],
  actor = 'a'
): DirectoryRecord {
  return changeRecord(key, before, { actor: actor.repeat(16) as ActorId, hlc: () => hlcFrom(ms, 0) }, changes)
}

const born = write(undefined, 1_000, createAlbumChanges({ title: 'Meer', caption: 'x' }))

describe('an album', () => {
  it('keeps when it was made and what it does not know through edits, and loses what is null', () => {
    const odd = write(born, 2_000, [
      {
        kind: 'version',
        value: new Map([
          ['title', 'Meer'],
          ['sort', 'name']
        ])
      }
    ])
    const edited = write(odd, 3_000, editAlbumChanges(odd, { title: 'See', caption: null }))
    expect(viewAlbum(edited)).toMatchObject({ title: 'See', caption: undefined, createdAtMs: 2_000 })
    expect(edited.entries[0]?.value.get('sort')).toBe('name')
    const renamed = write(born, 3_000, editAlbumChanges(born, { title: 'See' }))
    expect(viewAlbum(renamed)).toMatchObject({ title: 'See', caption: 'x', createdAtMs: 1_000 })
    expect(editAlbumChanges(renamed, { title: 'See', caption: 'x', cover: null })).toEqual([])
  })

  it('keeps who made it, whatever anybody does with it', () => {
    const maker = '01890000-0000-7000-8000-000000000001' as UserId
    const made = write(undefined, 1_000, createAlbumChanges({ title: 'Meer', maker }))
    const [a, b] = ['a', 'b'].map((title, i) => write(made, 2_000 + i, editAlbumChanges(made, { title }), 'bc'[i]))
    const merged = mergeRecords(a as DirectoryRecord, b as DirectoryRecord)
    const restored = write(merged, 3_000, restoreAlbumChanges(merged, 1))
    const deleted = write(restored, 4_000, deleteAlbumChanges(restored))
    for (const record of [made, merged, restored, deleted, write(deleted, 5_000, reviveAlbumChanges(deleted, 'c'))])
      expect(viewAlbum(record)?.maker).toBe(maker)
    const theft = new Map(Object.entries({ title: 'x', owner: '01890000-0000-7000-8000-000000000002' }))
    const stolen = mergeRecords(a as DirectoryRecord, write(made, 1_500, [{ kind: 'version', value: theft }], 'd'))
    expect(viewAlbum(write(stolen, 3_000, restoreAlbumChanges(stolen, 1)))).toMatchObject({ title: 'x', maker })
    expect(viewAlbum(born)?.maker).toBeUndefined()
    const odd = write(undefined, 1_000, [{ kind: 'version', deleted: false, value: new Map([['owner', 'x']]) }])
    expect(viewAlbum(odd)?.maker).toBeUndefined()
  })

  it('shows the later of two concurrent edits and keeps the other; a delete beats both', () => {
    const [a, b] = ['a', 'b'].map((title, i) => write(born, 2_000 + i, editAlbumChanges(born, { title }), 'bc'[i]))
    const merged = mergeRecords(a as DirectoryRecord, b as DirectoryRecord)
    expect(viewAlbum(merged)?.title).toBe('b')
    expect(conflictVersions(merged).map(version => viewAlbum(merged) && version.value.get('title'))).toEqual(['a'])
    const deleted = write(born, 1_500, deleteAlbumChanges(born), 'd')
    expect(viewAlbum(mergeRecords(merged, deleted))?.deleted).toBe(true)
    expect(endedLife(deleted)).toBe(0)
    expect(deleteAlbumChanges(deleted)).toEqual([])
    const revived = write(deleted, 3_000, reviveAlbumChanges(deleted, 'Neu'))
    expect(viewAlbum(revived)).toMatchObject({ generation: 1, deleted: false, title: 'Neu', caption: 'x' })
    expect(endedLife(revived)).toBeUndefined()
  })

  it('of another node is shown within bounds, whatever is in it', () => {
    const of = (value: ReadonlyMap<string, never>): unknown =>
      viewAlbum(write(undefined, 1, [{ kind: 'version', value }]))
    const long = new Map(Object.entries({ title: '🎉\n'.repeat(1e6), caption: 'x'.repeat(1e6), cover: 'no' }))
    const shown = of(long as never) as { title: string; caption: string }
    expect([...shown.title].length).toBeLessThanOrEqual(100)
    expect(shown.title).not.toMatch(/\p{Cc}/u)
    expect(shown).toMatchObject({ cover: undefined, caption: 'x'.repeat(2_000) })
    for (const title of [undefined, 7, '', '\u0000 '])
      expect(of(new Map([['title', title]]) as never)).toMatchObject({ title: id })
    expect(viewAlbum({ ...born, id: 'x' })).toBeUndefined()
    expect(viewAlbum({ ...born, id: id.toUpperCase() })).toBeUndefined()
    expect(viewAlbum({ ...born, kind: 'share' })).toBeUndefined()
  })
})

it('a label becomes the same album on every node, however it is written', () => {
  expect(albumIdOfLabel(' Été ')).toBe(albumIdOfLabel('ete'))
  expect(albumIdOfLabel('ete')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(albumIdOfLabel('a')).not.toBe(albumIdOfLabel('b'))
})
