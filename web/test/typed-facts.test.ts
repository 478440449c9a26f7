import { expect, test } from 'vitest'
import { dateText, placeText, typedDate, typedPlace } from '../src/state/typed-facts.js'

test.each([
  ['1985', '1985'],
  ['1985-07', '1985-07'],
  ['1985/7', '1985-07'],
  ['7/1985', '1985-07'],
  ['July 1985', '1985-07'],
  ['jul 1985', '1985-07'],
  ['Sept. 1985', '1985-09'],
  ['1 July 1985', '1985-07-01'],
  ['1st of July 1985', undefined],
  ['1st July, 1985', '1985-07-01'],
  ['July 1, 1985', '1985-07-01'],
  ['March 31 1985', '1985-03-31'],
  ['1 July 1985, 9:05', '1985-07-01T09:05'],
  ['2024-07-01', '2024-07-01'],
  ['2024-7-1', '2024-07-01'],
  ['2024-07-01 9:05', '2024-07-01T09:05'],
  ['2024-07-01  10:00:02', '2024-07-01T10:00:02'],
  ['2024-07-01T10:00:02.5+02:00', '2024-07-01T10:00:02.5+02:00'],
  ['2024-07-01 10:00 +02:00', '2024-07-01T10:00+02:00'],
  ['2024-07-01 10:00Z', '2024-07-01T10:00Z'],
  ['1985-02-31', '1985-02-31'], // the node says that there was none
  ['3/4/1985', undefined],
  ['03.04.1985', undefined],
  ['3/4/85', undefined],
  ['1 July', undefined],
  ['Juli 1985', undefined],
  ['Maybe 1985', undefined],
  ['July 1985 10:00', undefined],
  ['last summer', undefined]
])('the date %s is %s', (text, date) => {
  expect(typedDate(text)).toBe(date)
})

test('a date is shown short, and as it may be typed', () => {
  for (const date of ['1985', '1985-07', '1985-07-01', '2024-07-01T10:00:02', '2024-07-01T10:00:02+11:00']) {
    expect(typedDate(dateText(date))).toBe(date)
  }
  expect(dateText('2024-07-01T10:00:02.250+11:00')).toBe('2024-07-01 10:00:02 +11:00')
  expect(dateText('2024-07-01T10:00:00.000')).toBe('2024-07-01 10:00')
  expect(dateText(null)).toBe('')
})

test.each([
  ['54.3233, 10.1228', { lat: 54.3233, lon: 10.1228 }],
  ['-33.8688 151.2093', { lat: -33.8688, lon: 151.2093 }],
  ['54.3°;10.1°', { lat: 54.3, lon: 10.1 }],
  ['0,0', { lat: 0, lon: 0 }],
  ['', null],
  ['Kiel', undefined],
  ['91, 0', undefined],
  ['0, 181', undefined],
  ['54,3233, 10,1228', undefined]
])('the place %j', (text, place) => {
  expect(typedPlace(text)).toEqual(place)
})

test('a place is shown as it may be typed', () => {
  const place = { lat: -33.8688, lon: 151.2093 }
  expect(typedPlace(placeText(place))).toEqual(place)
  expect(placeText(null)).toBe('')
})
