import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AudienceSet, namedAudience } from '../../../../src/domain/audience.js'
import { AUDIENCES_HELD_MAX } from '../../../../src/domain/limits.js'
import { AudienceNumbers, hasBit, UNSEEN } from '../../../../src/similarity/index/audience-numbers.js'
import { LabelAudiences } from '../../../../src/similarity/index/seen-labels.js'

const idOf = (n: number): string => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`
const text = (n: number): string => `- ${idOf(n)}`

describe('labels of audiences, here and in the process of the graphs', () => {
  test('are seen by whoever sees their audience, after whatever has happened', () => {
    const some = fc.option(fc.nat(12), { nil: undefined })
    const act = fc.record({ label: fc.nat(40), audience: some, opened: some })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), fc.uniqueArray(fc.nat(12)), (acts, visible) => {
        const numbers = new AudienceNumbers()
        const labels = new LabelAudiences()
        const truth = new Map<number, string>()
        const arrivals: string[] = []
        const seen = new AudienceSet(visible.map(text).map(namedAudience), () => arrivals.splice(0).map(namedAudience))
        for (const { label, audience, opened } of acts) {
          if (opened !== undefined) arrivals.push(text(opened))
          const own = audience === undefined ? undefined : text(audience)
          labels.set(Uint32Array.of(label), Uint32Array.of(numbers.set(label, own)))
          if (own === undefined) truth.delete(label)
          else truth.set(label, own)
          const bits = numbers.bitsOf(seen)
          const some = labels.of(bits)
          const wanted = [...truth].filter(([, of]) => seen.texts.includes(of)).map(([one]) => one)
          expect(some.count).toBe(wanted.length)
          for (let other = 0; other <= 41; other++) {
            expect(numbers.of(other)).toBe(truth.get(other))
            expect([some.has(other), numbers.isAmong(other, seen)]).toEqual(Array(2).fill(wanted.includes(other)))
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  test('bits are made anew when a number comes to mean another audience', () => {
    const numbers = new AudienceNumbers()
    const ofFirst = new AudienceSet([namedAudience(text(1))])
    const number = numbers.set(7, text(1))
    const before = numbers.bitsOf(ofFirst)
    expect([hasBit(before, number), numbers.bitsOf(ofFirst)]).toEqual([true, before])
    numbers.set(7, undefined)
    expect(numbers.set(8, text(2))).toBe(number) // used again
    expect([hasBit(numbers.bitsOf(ofFirst), number), numbers.isAmong(8, ofFirst)]).toEqual([false, false])
  })

  test('of more combinations of albums than are held, those that come later are seen by nobody; what is in no album always is', () => {
    const numbers = new AudienceNumbers()
    for (let n = 0; n < AUDIENCES_HELD_MAX; n++) numbers.set(n, text(n))
    const [late, own] = [AUDIENCES_HELD_MAX, AUDIENCES_HELD_MAX + 1]
    expect(numbers.set(late, text(late))).toBe(UNSEEN)
    expect(numbers.isAmong(late, new AudienceSet([namedAudience(text(late))]))).toBe(false)
    numbers.set(own, idOf(1))
    expect(numbers.isAmong(own, new AudienceSet([namedAudience(idOf(1))]))).toBe(true)
    for (const label of [0, 1]) numbers.set(label, undefined)
    numbers.set(late, text(late))
    expect(numbers.isAmong(late, new AudienceSet([namedAudience(text(late))]))).toBe(true)
  })
})
