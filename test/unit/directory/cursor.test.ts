import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from '../../../src/directory/cursor.js'

const position = fc.uint8Array({ minLength: 24, maxLength: 24 })
const filters = fc.record({
  terms: fc.array(fc.string(), { maxLength: 3 }),
  words: fc.array(fc.string(), { maxLength: 3 })
})
const badCursor = expect.objectContaining({ code: 'ERR_BAD_CURSOR' })

describe('cursors', () => {
  it('carry a position', () => {
    fc.assert(
      fc.property(position, filters, (at, of) => {
        expect(Uint8Array.from(decodeCursor(encodeCursor(at, of), of))).toEqual(at)
      })
    )
  })

  it('are valid for their filters in any order, and for no others', () => {
    fc.assert(
      fc.property(position, filters, filters, (at, of, other) => {
        const cursor = encodeCursor(at, of)
        const reordered = { terms: [...of.terms].reverse(), words: [...of.words].reverse() }
        expect(Uint8Array.from(decodeCursor(cursor, reordered))).toEqual(at)
        const canonical = ({ terms, words }: typeof of): string =>
          JSON.stringify([[...terms].sort(), [...words].sort()])
        if (canonical(of) !== canonical(other)) expect(() => decodeCursor(cursor, other)).toThrow(badCursor)
      })
    )
  })

  it('refuse any other text', () => {
    const all = { terms: ['all'], words: [] }
    const cursor = encodeCursor(new Uint8Array(24), all)
    for (let i = 0; i < cursor.length; i++) {
      const changed = `${cursor.slice(0, i)}${cursor[i] === 'A' ? 'B' : 'A'}${cursor.slice(i + 1)}`
      expect(() => decodeCursor(changed, all)).toThrow(badCursor)
    }
    for (const text of ['', 'x', `${cursor}A`, `${cursor}=`, ` ${cursor}`, cursor.slice(1), 'ü'.repeat(43)]) {
      expect(() => decodeCursor(text, all)).toThrow(badCursor)
    }
  })
})
