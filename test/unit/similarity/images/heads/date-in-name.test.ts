import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dateInName } from '../../../../../src/similarity/images/heads/date-in-name.js'

function read(name: string): [local: string, offset: number | undefined, precision: string] | undefined {
  const date = dateInName(name)
  return date && [new Date(date.localMs).toISOString().slice(0, -1), date.offsetMinutes, date.precision]
}

test.each([
  ['IMG_20200423_183341.jpg', '2020-04-23T18:33:41.000', undefined, 'second'],
  ['VID_20210528_154038.mp4', '2021-05-28T15:40:38.000', undefined, 'second'],
  ['DJI_20230708123045_0001.JPG', '2023-07-08T12:30:45.000', undefined, 'second'],
  ['20200423_183341.jpg', '2020-04-23T18:33:41.000', undefined, 'second'],
  ['20200423_183341(1).jpg', '2020-04-23T18:33:41.000', undefined, 'second'],
  ['IMG_20200423_183341_123.jpg', '2020-04-23T18:33:41.123', undefined, 'second'],
  ['PXL_20231231_220232177.jpg', '2023-12-31T22:02:32.177', 0, 'second'],
  ['Screenshot_2022-01-02-03-04-05.png', '2022-01-02T03:04:05.000', undefined, 'second'],
  ['Screenshot_20220102-030405_Chrome.jpg', '2022-01-02T03:04:05.000', undefined, 'second'],
  ['Screenshot 2023-07-08 at 12.30.45.png', '2023-07-08T12:30:45.000', undefined, 'second'],
  ['Screen Shot 2023-07-08 at 09.03.04 PM.png', '2023-07-08T21:03:04.000', undefined, 'second'],
  ['Bildschirmfoto 2022-05-06 um 07.08.09.png', '2022-05-06T07:08:09.000', undefined, 'second'],
  ['WhatsApp Image 2023-07-08 at 12.30.45.jpeg', '2023-07-08T12:30:45.000', undefined, 'second'],
  ['signal-2023-07-08-12-30-45-123.jpg', '2023-07-08T12:30:45.123', undefined, 'second'],
  ['photo_2023-07-08_12-30-45.jpg', '2023-07-08T12:30:45.000', undefined, 'second'],
  ['FB_IMG_1577836800000.jpg', '2020-01-01T00:00:00.000', 0, 'second'],
  ['IMG-20230708-WA0001.jpg', '2023-07-08T12:00:00.000', undefined, 'day'],
  ['1985-07-01 Oma.tif', '1985-07-01T12:00:00.000', undefined, 'day'],
  ['1985.07.01.tif', '1985-07-01T12:00:00.000', undefined, 'day'],
  ['2023-07-08 996.jpg', '2023-07-08T12:00:00.000', undefined, 'day']
])('%s says when', (name, ...date) => {
  expect(read(name)).toEqual(date)
})

test.each([
  'invoice-20231399.pdf',
  'scan 20230231.jpg',
  'received_2012345678901234.jpeg',
  'received_2012101112131416.jpeg',
  'DSC_0104.JPG',
  'P1020304.JPG',
  'IMG_1234.HEIC',
  '17770101.jpg',
  '2023-07.jpg',
  ''
])('%j says nothing', name => {
  expect(read(name)).toBeUndefined()
})

test('any name says a moment, or nothing', () => {
  const parts = fc.constantFrom(
    '2024',
    '06',
    '30',
    '-',
    '_',
    '.',
    ' ',
    'at ',
    '12',
    'PXL_',
    'FB_IMG_',
    '1577836800000',
    'é'
  )
  const name = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.array(parts, { maxLength: 40 }).map(all => all.join(''))
  )
  fc.assert(
    fc.property(name, anything => {
      const date = dateInName(anything)
      expect(date === undefined || Number.isSafeInteger(date.localMs)).toBe(true)
    })
  )
})
