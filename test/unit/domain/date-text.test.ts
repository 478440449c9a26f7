import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDate, readOffset } from '../../../src/domain/date-text.js'

/** @returns a date as `2024-06-30T12:34:56.000`, its offset and precision */
function read(text: string): [local: string, offset: number | undefined, precision: string] | undefined {
  const date = readDate(text)
  return date && [new Date(date.localMs).toISOString().slice(0, -1), date.offsetMinutes, date.precision]
}

describe('a date', () => {
  test.each([
    ['2024:06:30 12:34:56', '2024-06-30T12:34:56.000', undefined, 'second'],
    ['2024-06-30T12:34:56', '2024-06-30T12:34:56.000', undefined, 'second'],
    ['2025:01:14 18:31:30+0000', '2025-01-14T18:31:30.000', 0, 'second'],
    ['2025:01:14 18:31:30Z', '2025-01-14T18:31:30.000', 0, 'second'],
    ['2025:01:14 18:31:30 UTC', '2025-01-14T18:31:30.000', 0, 'second'],
    ['2025:01:14 18:31:30+02:00', '2025-01-14T18:31:30.000', 120, 'second'],
    ['2024-01-01T08:02:32.25-03:30', '2024-01-01T08:02:32.250', -210, 'second'],
    ['2024:05:04 16:41:42.809319', '2024-05-04T16:41:42.809', undefined, 'second'],
    ['2024:05:04 16:41:42,5', '2024-05-04T16:41:42.500', undefined, 'second'],
    ['2023/07/08 12:30:45', '2023-07-08T12:30:45.000', undefined, 'second'],
    ['2023.07.08 12:30:45', '2023-07-08T12:30:45.000', undefined, 'second'],
    ['2023: 7: 8  9: 3: 4', '2023-07-08T09:03:04.000', undefined, 'second'],
    ['2023:07:08 12:30', '2023-07-08T12:30:00.000', undefined, 'minute'],
    ['2023-07-08T12:30+02:00', '2023-07-08T12:30:00.000', 120, 'minute'],
    ['2023:07:08 9:03:04 PM', '2023-07-08T21:03:04.000', undefined, 'second'],
    ['2023:07:08 12:03:04 am', '2023-07-08T00:03:04.000', undefined, 'second'],
    ['2023:07:08', '2023-07-08T12:00:00.000', undefined, 'day'],
    ['1985-07', '1985-07-01T12:00:00.000', undefined, 'month'],
    ['1985', '1985-01-01T12:00:00.000', undefined, 'year'],
    ['2023:07:08 24:00:00', '2023-07-09T00:00:00.000', undefined, 'second'],
    ['2016:12:31 23:59:60', '2016-12-31T23:59:59.000', undefined, 'second'],
    ['1826:01:01 00:00:00', '1826-01-01T00:00:00.000', undefined, 'second'],
    ['2023:07:08 12:30:45+99:99', '2023-07-08T12:30:45.000', undefined, 'second']
  ])('is read from %j', (text, ...date) => {
    expect(read(text)).toEqual(date)
  })

  test.each([
    '',
    '    :  :     :  :  ',
    '0000:00:00 00:00:00',
    '2024:13:01 10:00:00',
    '2024:02:30 10:00:00',
    '2023:02:29 10:00:00',
    '2024:06:30 24:00:01',
    '2024:06:30 25:00:00',
    '2024:06:30 10:60:00',
    '2016:12:31 23:59:61',
    '2016:12:31 23:59:99',
    '2024:06:30 13:00:00 PM',
    '1825:12:31 23:59:59',
    '1985-07 12:00',
    'yesterday',
    '20240630'
  ])('is none in %j', text => {
    expect(read(text)).toBeUndefined()
  })

  test('is none, or a moment, whatever the text', () => {
    const parts = fc.constantFrom(
      '2024',
      '06',
      '30',
      ':',
      '-',
      '/',
      '.',
      ' ',
      'T',
      '12',
      '+',
      'Z',
      'PM',
      '99',
      '0',
      ','
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(parts, { maxLength: 20 }).map(all => all.join(''))
    )
    fc.assert(
      fc.property(text, anything => {
        const date = readDate(anything)
        expect(date === undefined || Number.isSafeInteger(date.localMs)).toBe(true)
      })
    )
  })
})

test.each([
  ['+02:00', 120],
  ['+2:00', 120],
  ['+2', 120],
  ['-0330', -210],
  ['+14:00', 840],
  ['Z', 0],
  ['-00:00', 0],
  ['UTC+1', 60],
  ['+14:01', undefined],
  ['+99:99', undefined],
  ['+01:60', undefined],
  ['   :  ', undefined],
  ['', undefined],
  ['02:00', undefined]
])('the offset %j is %s minutes', (text, minutes) => {
  expect(readOffset(text)).toBe(minutes)
})
