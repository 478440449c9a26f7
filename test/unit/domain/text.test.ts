import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldText, prefixesOf, WORD_CHARACTERS_MAX, WORDS_MAX, wordsOf } from '../../../src/domain/text.js'

describe('folding', () => {
  it.each([
    ['İstanbul Straße Müller', 'istanbul strasse MULLER'],
    ['Cafe\u0301', 'Café'],
    ['Ελλάδα ΟΔΥΣΣΕΥΣ', 'ελλαδα οδυσσεύς'],
    ['Ærø Łódź', 'aero lodz'],
    ['ｶﾀｶﾅ ﬁne Ⅷ', 'カタカナ fine viii'],
    ['Київ й', 'київ и'],
    ['مُحَمَّد', 'محمد']
  ])('makes %s and %s one', (a, b) => {
    expect(foldText(a)).toBe(foldText(b))
  })

  it('keeps vowels that are marks, and letters that only look alike', () => {
    expect(foldText('हिन्दी')).not.toBe(foldText('हन्द'))
    expect(foldText('が')).toBe(foldText('か\u3099'))
    expect(foldText('が')).not.toBe(foldText('か'))
  })

  it('is done once', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(foldText(foldText(text))).toBe(foldText(text))
      })
    )
  })
})

describe('words', () => {
  it.each<[string, string[]]>([
    ['Ａbc_DEF-ﬁsh.2024 Ünï हिन्दी', ['abc', 'def', 'fish', '2024', 'uni', 'हिन्दी']],
    ['東京タワー 2023年', ['東京', '京タ', 'タワ', 'ワー', 'ー', '2023', '年']],
    ['สวัสดี', ['สวั', 'วัส', 'สดี', 'ดี']],
    ['🎉 👨‍👩‍👧 🇩🇪 ❤️ 👍🏽', ['🎉', '👨‍👩‍👧', '🇩🇪', '❤', '👍🏽']],
    ['한국어 서울', ['한국어', '서울']],
    ['% * " - _', []]
  ])('of %s', (text, words) => {
    expect(wordsOf(text)).toEqual(words)
  })

  it('are bounded in number and length', () => {
    expect(wordsOf(Array.from({ length: 500 }, (_, n) => `w${n}`).join(' '))).toHaveLength(WORDS_MAX)
    expect(wordsOf('x'.repeat(1000))).toEqual(['x'.repeat(WORD_CHARACTERS_MAX)])
    expect(wordsOf('\u{1d49c}\u0300\u0301'.repeat(1000))[0]?.length).toBeLessThanOrEqual(2 * WORD_CHARACTERS_MAX)
  })

  it('of any text are distinct, and not empty', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const words = wordsOf(text)
        expect(new Set(words).size).toBe(words.length)
        for (const word of words) expect(word.length).toBeGreaterThan(0)
      })
    )
  })
})

describe('what is looked for', () => {
  it('is any part of what is written without spaces', () => {
    const letters = fc.constantFrom(...'東京都タワー花見กขค')
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 12 }), fc.nat(), fc.nat(), (text, from, length) => {
        const start = from % text.length
        const part = text.slice(start, start + 1 + (length % (text.length - start)))
        expect(finds(text.join(''), part.join(''))).toBe(true)
      })
    )
    expect(finds('京東', '東京')).toBe(false)
  })

  it('is the beginning of words elsewhere', () => {
    expect(finds('Ein Sommer in Zürich.jpg', 'SOM zur')).toBe(true)
    expect(finds('Ein Sommer in Zürich.jpg', 'ommer')).toBe(false)
    expect(finds('Feier 🎉', '🎉')).toBe(true)
    expect(prefixesOf('%')).toEqual([])
    expect(prefixesOf('a ab abc')).toEqual(['abc'])
  })
})

function finds(text: string, sought: string): boolean {
  const words = wordsOf(text)
  return prefixesOf(sought).every(prefix => words.some(word => word.startsWith(prefix)))
}
