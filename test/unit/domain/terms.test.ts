import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { languagesWith } from '../../../src/directory/index-languages.js'
import { imageChange } from '../../../src/domain/findings.js'
import type { UserId } from '../../../src/domain/ids.js'
import { createChanges, deleteChanges, type NewPhoto } from '../../../src/domain/photo.js'
import { changeRecord, type DirectoryRecord } from '../../../src/domain/record.js'
import { termsOf } from '../../../src/domain/terms.js'
import { countingStamper, PHOTO_BIRTH, PHOTO_KEY, recordArb } from '../../support/domain-arbitraries.js'

function photo(birth: Partial<NewPhoto>): DirectoryRecord {
  return changeRecord(PHOTO_KEY, undefined, countingStamper(), createChanges({ ...PHOTO_BIRTH, ...birth }))
}

describe('termsOf', () => {
  it('says which pictures a reader of before has shown without telling them in a few bytes', () => {
    const look = (reader: number, rest: object = {}): string[] => {
      const change = imageChange({ state: 'whole', reader, decoder: 'sharp', ...rest })
      return termsOf(changeRecord(PHOTO_KEY, photo({}), countingStamper(), [change]))
    }
    expect(look(2)).toContain('unhashed')
    expect(look(3)).not.toContain('unhashed')
    expect(look(2, { thumbhash: new Uint8Array(5) })).not.toContain('unhashed')
    expect(look(2, { state: 'none' })).not.toContain('unhashed')
  })

  it('lists all terms that a photo is found by', () => {
    const record = photo({ caption: 'Am Meer', albums: ['2026'], idempotency: '0f'.repeat(32) })
    expect(termsOf(record)).toEqual(
      [
        'all',
        'audience\0-',
        'entry',
        'album\x002026',
        `idem\0${'0f'.repeat(32)}`,
        `sha256\0${'5e'.repeat(32)}`,
        'kind\0image',
        'tag\0holiday',
        'tag\0sea',
        'timeline',
        'type\0image',
        'type\0image/jpeg',
        'word\x000042',
        'word\0am',
        'word\0img',
        'word\0jpg',
        'word\0meer'
      ].sort()
    )
  })

  it('has the owner in this version of the index only', () => {
    const owned = photo({ owner: '01890000-0000-7000-8000-00000000000a' as UserId })
    const term = 'owner\x0001890000-0000-7000-8000-00000000000a'
    const others = termsOf(photo({})).filter(other => other !== 'audience\0-')
    expect(termsOf(owned)).toEqual([...others, term, 'audience\x0001890000-0000-7000-8000-00000000000a'].sort())
    const { known } = languagesWith({ near: () => undefined }, true)
    expect(
      known.map(({ version, lacks, termsOf }) => [version, lacks.has('owner'), termsOf(owned).includes(term)])
    ).toEqual([
      [1, true, false],
      [2, true, false],
      [3, true, false],
      [5, true, false],
      [7, false, true],
      [9, false, true],
      [11, false, true],
      [4, true, false],
      [6, true, false],
      [8, false, true],
      [10, false, true],
      [12, false, true]
    ])
  })

  it('has the audience in this version of the index only: the owner, and albums that have a record', () => {
    const owner = '01890000-0000-7000-8000-00000000000a' as UserId
    const albums = ['01890000-0000-7000-8000-00000000000c', 'summer']
    const shown = photo({ owner, albums })
    const term = `audience\0${owner} ${albums[0]}`
    const { known } = languagesWith({ near: () => undefined }, true)
    expect(known.filter(({ termsOf }) => termsOf(shown).includes(term)).map(({ version }) => version)).toEqual([
      9, 11, 10, 12
    ])
    expect(known.filter(({ lacks }) => lacks.has('audience')).map(({ version }) => version)).toEqual([
      1, 2, 3, 5, 7, 4, 6, 8
    ])
    expect(known.filter(({ lacks }) => !lacks.has('used')).map(({ version }) => version)).toEqual([11, 12])
  })

  it('finds labels however they are spelled, and knows how they are', () => {
    const terms = termsOf(photo({ tags: ['Café', 'ÇA VA'], albums: ['Straße 7'] }))
    expect(terms.filter(term => /^(tag|album|spelled)\0/.test(term))).toEqual([
      'album\0strasse 7',
      'spelled\0album\0strasse 7\0Straße 7',
      'spelled\0tag\0ca va\0ÇA VA',
      'spelled\0tag\0cafe\0Café',
      'tag\0ca va',
      'tag\0cafe'
    ])
  })

  it('takes content types without parameters, in lower case', () => {
    expect(termsOf(photo({ contentType: 'Text/Plain; charset=utf-8' }))).toEqual(
      expect.arrayContaining(['type\0text', 'type\0text/plain'])
    )
  })

  it('lists deleted photos as such, and none of other kinds and malformed photos', () => {
    const live = photo({})
    expect(termsOf(changeRecord(PHOTO_KEY, live, countingStamper(), deleteChanges(live)))).toEqual([
      'trash',
      'trash-owner\0-',
      `trashed\0${'5e'.repeat(32)}`
    ])
    expect(termsOf({ ...live, kind: 'album' })).toEqual([])
    fc.assert(
      fc.property(recordArb, record => {
        expect(termsOf(record)).toEqual([])
      })
    )
  })
})
