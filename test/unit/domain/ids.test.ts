import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  actorIdBytes,
  actorIdFrom,
  cookieBytes,
  cookieFrom,
  newActorId,
  newCookie,
  newPhotoId,
  parseCookie,
  parsePhotoId,
  parseVolumeId,
  photoIdBytes,
  photoIdFrom,
  volumeId
} from '../../../src/domain/ids.js'
import { ACTORS, actorIdArb, cookieArb, NOW_MS, photoIdArb, volumeIdArb } from '../../support/domain-arbitraries.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { surviveInvariants } from '../../support/survive-invariants.js'

surviveInvariants()

describe('photo ids', () => {
  it('parse in any case and are spelled in lower case', () => {
    fc.assert(
      fc.property(photoIdArb, id => {
        expect(parsePhotoId(id.toUpperCase())).toBe(id)
      })
    )
  })

  it.each([
    '',
    'x',
    '01990000-0000-7000-8000-00000000caf',
    '01990000-0000-7000-8000-00000000cafeé',
    '01990000-0000-7000-8000-00000000cafg',
    '0199000000007000800000000000cafe',
    '{01990000-0000-7000-8000-0000000cafe}',
    ' 01990000-0000-7000-8000-00000000cafe'
  ])('are not parsed from %j', text => expect(parsePhotoId(text)).toBeUndefined())

  it('convert to 16 bytes and back', () => {
    fc.assert(
      fc.property(photoIdArb, id => {
        expect(photoIdFrom(photoIdBytes(id))).toBe(id)
      })
    )
    expect(() => photoIdFrom(new Uint8Array(15))).toThrow('16 bytes')
  })

  it('are UUIDs of version 7 of the present millisecond', () => {
    const id = newPhotoId(new SimulatedClock(NOW_MS), new SeededRandom(1))
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(NOW_MS)
    expect(parsePhotoId(id)).toBe(id)
  })

  it('are also valid when the clock is before 1970 or beyond 48 bits', () => {
    for (const ms of [-5, 2 ** 60]) {
      const id = newPhotoId(new SimulatedClock(ms), new SeededRandom(1))
      expect(parsePhotoId(id)).toBe(id)
    }
  })

  it('differ within one millisecond', () => {
    const [clock, random] = [new SimulatedClock(NOW_MS), new SeededRandom(2)]
    expect(new Set(Array.from({ length: 1000 }, () => newPhotoId(clock, random))).size).toBe(1000)
  })
})

describe('actor ids, cookies and volume ids', () => {
  it('are encoded and decoded', () => {
    fc.assert(
      fc.property(actorIdArb, cookieArb, (actor, cookie) => {
        expect(actorIdFrom(actorIdBytes(actor))).toBe(actor)
        expect(cookieFrom(cookieBytes(cookie))).toBe(cookie)
        expect(parseCookie(cookie.toUpperCase())).toBe(cookie)
      })
    )
    expect(parseCookie('00')).toBeUndefined()
    expect(parseCookie(`${'0'.repeat(31)}g`)).toBeUndefined()
  })

  it('use the given randomness', () => {
    expect(newActorId(new SeededRandom(1))).toBe(actorIdFrom(new SeededRandom(1).bytes(8)))
    expect(newCookie(new SeededRandom(1))).toBe(cookieFrom(new SeededRandom(1).bytes(16)))
  })

  it('name volumes by epoch and sequence', () => {
    fc.assert(
      fc.property(volumeIdArb, volume => {
        const { epoch, sequence } = parseVolumeId(volume) ?? {}
        expect(volumeId(epoch!, sequence!)).toBe(volume)
      })
    )
    expect(() => volumeId(ACTORS[0]!, 0)).toThrow('out of range')
    expect(() => volumeId(ACTORS[0]!, 2 ** 32)).toThrow('out of range')
  })

  it.each([
    '00000000000000a1',
    '00000000000000a1-0',
    '00000000000000a1-01',
    '00000000000000A1-1',
    '0000000000000a1-1',
    '00000000000000a1-4294967296',
    '00000000000000a1-1 '
  ])('are not parsed from %j', text => expect(parseVolumeId(text)).toBeUndefined())
})
