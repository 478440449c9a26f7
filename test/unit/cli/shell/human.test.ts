import { expect, test } from 'vitest'
import { count, humanBytes, humanSeconds, humanTime, printable } from '../../../../src/cli/shell/human.js'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.00 kB'],
  [9_994, '9.99 kB'],
  [9_995, '10.0 kB'],
  [99_949, '99.9 kB'],
  [99_950, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [2_400_000_000, '2.40 GB'],
  [5 * 2 ** 40, '5.50 TB'],
  [5e18, '5000 PB']
])('%d bytes are %s', (bytes, text) => expect(humanBytes(bytes)).toBe(text))

test.each([
  [0.2, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min 0 s'],
  [190, '3 min 10 s'],
  [3_600, '1 h 0 min'],
  [7_500, '2 h 5 min'],
  [-3, '0 s']
])('%d seconds are %s', (seconds, text) => expect(humanSeconds(seconds)).toBe(text))

test('times are shown in the local zone, to the minute', () => {
  const at = new Date(2026, 10, 20, 14, 3, 59)
  expect(humanTime(at.toISOString())).toBe('2026-11-20 14:03')
  expect(humanTime('soon')).toBe('soon')
})

test('what others wrote cannot drive the terminal', () => {
  expect(printable('a\x1b[2Jb\nc\u202ed\u{1F33C}')).toBe('a�[2Jb�c�d\u{1F33C}')
})

test('counts', () => {
  expect([count(0, 'file'), count(1, 'file'), count(2, 'file')]).toEqual(['0 files', '1 file', '2 files'])
})
