import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HLC_MAX, type Hlc, hlcFrom } from '../../../src/domain/hlc.js'
import {
  decodePast,
  encodePast,
  obstacleOfPasts,
  TOLD_PAST_BYTES,
  type ToldPast
} from '../../../src/network/told-past.js'

const past = (horizonMs: number, promiseMs?: number): ToldPast => ({
  horizon: hlcFrom(horizonMs),
  promise: promiseMs === undefined ? undefined : hlcFrom(promiseMs)
})

test('bytes stand as documented', () => {
  const hex = (told: ToldPast): string => Buffer.from(encodePast(told)).toString('hex')
  expect(hex(past(0x0102))).toBe(`${'0000000001020000'}${'f'.repeat(16)}`)
  expect(hex(past(0x0102, 0x03))).toBe('0000000001020000' + '0000000000030000')
})

test('what one side encodes the other decodes', () => {
  const stamp = fc.bigInt({ min: 0n, max: HLC_MAX - 1n }).map(value => value as Hlc)
  fc.assert(
    fc.property(stamp, fc.option(stamp, { nil: undefined }), (horizon, promise) => {
      const bytes = encodePast({ horizon, promise })
      expect(bytes).toHaveLength(TOLD_PAST_BYTES)
      expect(decodePast(bytes)).toEqual({ horizon, promise })
    })
  )
})

test.each<[string, ToldPast, ToldPast, RegExp | undefined]>([
  ['two new folders', past(0), past(0), undefined],
  ['a new folder that knows a horizon and one that knows none', past(9), past(0), undefined],
  ['promises at the horizon', past(5, 5), past(5, 5), undefined],
  ['promises above it', past(5, 6), past(4, 9), undefined],
  ['nothing promised where nothing was forgotten', past(0, 0), past(0), undefined],
  ['a promise below the horizon of the other', past(3, 3), past(5, 5), /^this node was beyond the horizon \(5\.0\)/],
  ['the same from the other side', past(5, 5), past(3, 3), /^the other node was beyond the horizon \(5\.0\)/],
  ['a promise below what a new folder knows', past(0, 3), past(4), /^this node was/],
  ['a promise below the own horizon', past(5, 4), past(0), /^this node was/],
  ['both below what one of them knows', past(9, 4), past(0, 3), /^this node and the other node were beyond/],
  ['nothing promised where something was forgotten', past(0, 0), past(1, 1), /^this node was/]
])('%s', (_what, own, other, obstacle) => {
  if (obstacle === undefined) return expect(obstacleOfPasts(own, other)).toBeUndefined()
  expect(obstacleOfPasts(own, other)).toMatch(obstacle)
  expect(obstacleOfPasts(own, other)).toMatch(/start it with an empty folder.*sheaf export --from-folder$/)
})

test('both sides come to the same result', () => {
  const ms = fc.integer({ min: 0, max: 3 })
  const told = fc.tuple(ms, fc.option(ms, { nil: undefined })).map(([horizon, promise]) => past(horizon, promise))
  fc.assert(
    fc.property(told, told, (one, other) => {
      expect(obstacleOfPasts(one, other) === undefined).toBe(obstacleOfPasts(other, one) === undefined)
    })
  )
})
