import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { INDEX_VERSION } from '../../../src/domain/terms.js'
import { PlaceTable } from '../../../src/places/place-table.js'

const PACKED = readFileSync(new URL('../../../dist/places.br', import.meta.url))

interface Row {
  readonly name: string
  readonly latitude: number
  readonly longitude: number
}

/** As places/build.js writes it; the rows are in the order of their cells. */
function tableOf(rows: readonly Row[]): Promise<PlaceTable> {
  const head = Buffer.from(
    JSON.stringify({ format: 1, count: rows.length, countries: { FJ: ['Fiji', 'Fidschi'] }, regions: [['FJ', null]] })
  )
  const size = Buffer.alloc(4)
  size.writeUInt32LE(head.length)
  const column = (degrees: (row: Row) => number): Buffer =>
    Buffer.concat(
      rows.map(row => {
        const bytes = Buffer.alloc(4)
        bytes.writeInt32LE(Math.round(degrees(row) * 1e5))
        return bytes
      })
    )
  const names = Buffer.from(rows.map(({ name }) => name).join('\n'))
  const parts = [size, head, column(row => row.latitude), column(row => row.longitude), Buffer.alloc(2 * rows.length)]
  return PlaceTable.unpack(brotliCompressSync(Buffer.concat([...parts, names])))
}

describe('the table of the build', async () => {
  const table = await PlaceTable.unpack(PACKED)

  test.each([
    ['Kiel', 54.3233, 10.1228, 'Schleswig-Holstein', 'Germany'],
    ['Munich', 48.1374, 11.5755, 'Bavaria', 'Germany'],
    ['Zermatt', 45.97, 7.66, 'Valais', 'Switzerland'],
    ['Grand Canyon', 36.1, -112.1, 'Arizona', 'United States'],
    ['Sydney', -33.8678, 151.2073, 'New South Wales', 'Australia']
  ])('%s is found', (name, latitude, longitude, region, country) => {
    const found = table.near({ latitude, longitude })
    expect(found).toMatchObject({ name, region })
    expect(found?.countries[0]).toBe(country)
  })

  test.each([
    [0, -30],
    [90, 0],
    [-90, 180],
    [0, 0]
  ])('nothing with a name is near %d, %d', (latitude, longitude) => {
    expect(table.near({ latitude, longitude })).toBeUndefined()
  })

  test('is the one that the version of the index is of', () => {
    const digest = createHash('sha256').update(brotliDecompressSync(PACKED)).digest('hex')
    expect({ version: INDEX_VERSION, digest: digest.slice(0, 16) }).toEqual({ version: 11, digest: '4554b1fd86c04aba' })
  })
})

describe('the nearest place', () => {
  const nearest = async (rows: readonly Row[], latitude: number, longitude: number): Promise<string | undefined> =>
    (await tableOf(rows)).near({ latitude, longitude })?.name

  test('is at a pole', async () => {
    expect(await nearest([{ name: 'North Pole', latitude: 90, longitude: 180 }], 89.9, 180)).toBe('North Pole')
    expect(await nearest([{ name: 'South Pole', latitude: -90, longitude: -180 }], -89.9, -180)).toBe('South Pole')
  })

  test('is in another cell, and on the other side of the date line', async () => {
    const rows = [
      { name: 'west', latitude: -16.8, longitude: -179.9 },
      { name: 'far', latitude: -16.8, longitude: 179.2 }
    ]
    expect(await nearest(rows, -16.8, 179.99)).toBe('west')
    expect(await nearest(rows, -17.1, 179.99)).toBe('west')
    expect(await nearest(rows, -16.8, -180)).toBe('west')
    expect(await nearest(rows, -16.8, 180)).toBe('west')
  })

  test('is at most 50 km away, also where degrees of longitude are short', async () => {
    const rows = [{ name: 'Ålesund', latitude: 78.9, longitude: 11.9 }]
    expect(await nearest(rows, 78.9, 14.1)).toBe('Ålesund')
    expect(await nearest(rows, 78.9, 14.4)).toBeUndefined()
    expect(await nearest(rows, 79.34, 11.9)).toBe('Ålesund')
    expect(await nearest(rows, 79.36, 11.9)).toBeUndefined()
  })

  test('has a country, and a region where that is known', async () => {
    const table = await tableOf([{ name: 'Suva', latitude: -18.1, longitude: 178.4 }])
    expect(table.near({ latitude: -18.1, longitude: 178.4 })).toEqual({
      name: 'Suva',
      region: undefined,
      countries: ['Fiji', 'Fidschi']
    })
  })
})
