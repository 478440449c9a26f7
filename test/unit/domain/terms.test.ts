import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChanges, deleteChanges, type NewPhoto } from '../../../src/domain/photo.js'
import { changeRecord, type DirectoryRecord } from '../../../src/domain/record.js'
import { termsOf, WORD_CHARACTERS_MAX, WORDS_MAX, wordsOf } from '../../../src/domain/terms.js'
import { countingStamper, PHOTO_BIRTH, PHOTO_KEY, recordArb } from '../../support/domain-arbitraries.js'

function photo(birth: Partial<NewPhoto>): DirectoryRecord {
  return changeRecord(PHOTO_KEY, undefined, countingStamper(), createChanges({ ...PHOTO_BIRTH, ...birth }))
}

describe('termsOf', () => {
  it('lists all terms that a photo is found by', () => {
    const record = photo({ caption: 'Am Meer', albums: ['2026'], idempotency: '0f'.repeat(32) })
    expect(termsOf(record)).toEqual(
      [
        'all',
        'album\x002026',
        `idem\0${'0f'.repeat(32)}`,
        `sha256\0${'5e'.repeat(32)}`,
        'tag\0holiday',
        'tag\0sea',
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

  it('takes content types without parameters, in lower case', () => {
    expect(termsOf(photo({ contentType: 'Text/Plain; charset=utf-8' }))).toEqual(
      expect.arrayContaining(['type\0text', 'type\0text/plain'])
    )
  })

  it('lists none for deleted photos, other kinds and malformed photos', () => {
    const live = photo({})
    expect(termsOf(changeRecord(PHOTO_KEY, live, countingStamper(), deleteChanges(live)))).toEqual([])
    expect(termsOf({ ...live, kind: 'album' })).toEqual([])
    fc.assert(
      fc.property(recordArb, record => {
        expect(termsOf(record)).toEqual([])
      })
    )
  })
})

describe('wordsOf', () => {
  it('folds case and compatibility forms, and splits at everything else', () => {
    expect(wordsOf('Ａbc_DEF-ﬁsh.2024 Ünï हिन्दी')).toEqual(['abc', 'def', 'fish', '2024', 'ünï', 'हिन्दी'])
    expect(wordsOf(' - ')).toEqual([])
  })

  it('is bounded in number and length', () => {
    expect(wordsOf(Array.from({ length: 50 }, (_, n) => `w${n}`).join(' '))).toHaveLength(WORDS_MAX)
    expect(wordsOf('x'.repeat(1000))).toEqual(['x'.repeat(WORD_CHARACTERS_MAX)])
    expect(wordsOf('\u{20000}'.repeat(1000))).toEqual(['\u{20000}'.repeat(WORD_CHARACTERS_MAX)])
  })

  it('is idempotent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const words = wordsOf(text)
        expect(new Set(words).size).toBe(words.length)
        for (const word of words) expect(word.length).toBeGreaterThan(0)
      })
    )
  })
})
