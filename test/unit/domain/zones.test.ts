import { expect, test } from 'vitest'
import { offsetAtLocal, offsetInZone } from '../../../src/domain/zones.js'

const SUMMER = Date.UTC(2024, 6, 1)
const WINTER = Date.UTC(2024, 0, 1)

test.each([
  ['Europe/Berlin', SUMMER, 120],
  ['Europe/Berlin', WINTER, 60],
  ['America/St_Johns', WINTER, -210],
  ['Asia/Kathmandu', WINTER, 345],
  ['Europe/Berlin', Date.UTC(1950, 6, 1), 60],
  ['UTC', SUMMER, 0],
  ['+02:00', WINTER, 120],
  ['-03:30', WINTER, -210],
  ['Z', WINTER, 0]
])('clocks in %s at %d are ahead by %d minutes', (zone, ms, minutes) => {
  expect(offsetInZone(zone, ms)).toBe(minutes)
})

test.each([
  ['2024-03-31T01:59', 60],
  ['2024-03-31T03:01', 120],
  ['2024-10-27T01:59', 120],
  ['2024-10-27T03:01', 60]
])('at %s by the clocks of Berlin they are ahead by %d minutes', (local, minutes) => {
  expect(offsetAtLocal('Europe/Berlin', Date.parse(`${local}Z`))).toBe(minutes)
})

test('no clocks are in no zone', () => {
  expect(offsetAtLocal('Europe/Kiel', SUMMER)).toBeUndefined()
})

test.each(['', 'Europe/Kiel', '+99:00', '-1', 'x'.repeat(10_000), 'Europe/Berlin\0'])('there is no zone %j', zone => {
  expect(offsetInZone(zone, SUMMER)).toBeUndefined()
})

test('more zones than are kept', () => {
  const zones = Intl.supportedValuesOf('timeZone').slice(0, 100)
  const offsets = zones.map(zone => offsetInZone(zone, SUMMER))
  expect(zones.map(zone => offsetInZone(zone, SUMMER))).toEqual(offsets)
  expect(offsets).not.toContain(undefined)
})
