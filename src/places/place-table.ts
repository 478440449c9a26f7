/*
 * The table of places with names, dist/places.br: brotli over
 *
 *   bytes      field
 *   4          length of the head, as all numbers little-endian
 *   …          head: JSON {format: 1, count, countries: {code: [name, …]}, regions: [[code of the country, name or null], …]}
 *   4 · count  latitudes, signed, in 1e-5 degrees
 *   4 · count  longitudes
 *   2 · count  regions, by number
 *   …          names, with \n between
 *
 * Places are sorted by cell, one degree wide and high, from the south-west, row by row. It is built by places/build.js and part of
 * the program, and so believed.
 */
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import type { Place } from '../domain/photo-facts.js'
import type { PlaceNames, Places } from '../domain/places.js'

/** What is farther from a place with a name than this has none: 50 km, in degrees of latitude. */
const DISTANCE_MAX = 50 / 111.2
const ROWS = 180
const COLUMNS = 360
const UNITS_PER_DEGREE = 1e5
/** Once around the Earth. */
const AROUND = COLUMNS * UNITS_PER_DEGREE
const NEWLINE = 10

interface Head {
  readonly format: number
  readonly count: number
  readonly countries: Readonly<Record<string, readonly string[]>>
  readonly regions: readonly (readonly [country: string, name: string | null])[]
}

const unpack = promisify(brotliDecompress)

/** Places with names, of which the nearest is looked up. What is in the table is sorted out when it is first needed: some 15 ms. */
export class PlaceTable implements Places {
  #table: Buffer | undefined
  #rows: PlaceRows | undefined

  private constructor(table: Buffer) {
    this.#table = table
  }

  /** @param packed - what the build wrote; it is unpacked in a thread */
  static async unpack(packed: Uint8Array): Promise<PlaceTable> {
    return new PlaceTable(await unpack(packed))
  }

  near(place: Place): PlaceNames | undefined {
    if (this.#table !== undefined) {
      this.#rows = new PlaceRows(this.#table)
      this.#table = undefined
    }
    return this.#rows?.near(place)
  }
}

class PlaceRows {
  readonly #head: Head
  readonly #latitudes: Int32Array
  readonly #longitudes: Int32Array
  readonly #regions: Uint16Array
  readonly #names: Buffer
  /** Where the name of each place begins in the names, and behind the last one. */
  readonly #nameStarts: Uint32Array
  /** Which places are in each cell: from its number up to that of the next. */
  readonly #cellStarts = new Uint32Array(ROWS * COLUMNS + 1)

  constructor(table: Buffer) {
    const headEnd = 4 + table.readUInt32LE(0)
    this.#head = JSON.parse(table.toString('utf8', 4, headEnd))
    const { count } = this.#head
    const column = (from: number, bytes: number): ArrayBuffer =>
      Uint8Array.from(table.subarray(headEnd + from * count, headEnd + (from + bytes) * count)).buffer
    this.#latitudes = new Int32Array(column(0, 4))
    this.#longitudes = new Int32Array(column(4, 4))
    this.#regions = new Uint16Array(column(8, 2))
    this.#names = Buffer.from(table.subarray(headEnd + 10 * count))
    this.#nameStarts = new Uint32Array(count + 1)
    for (let i = 1, at = 0; i < count; i++) {
      at = this.#names.indexOf(NEWLINE, at) + 1
      this.#nameStarts[i] = at
    }
    this.#nameStarts[count] = this.#names.length + 1
    this.#countCells()
  }

  #countCells(): void {
    for (let i = 0; i < this.#head.count; i++) {
      const cell = cellOf(degrees(this.#latitudes, i), degrees(this.#longitudes, i))
      this.#cellStarts[cell + 1] = (this.#cellStarts[cell + 1] ?? 0) + 1
    }
    for (let cell = 1; cell < this.#cellStarts.length; cell++)
      this.#cellStarts[cell] = (this.#cellStarts[cell] ?? 0) + (this.#cellStarts[cell - 1] ?? 0)
  }

  near({ latitude, longitude }: Place): PlaceNames | undefined {
    let nearest: number | undefined
    let least = (DISTANCE_MAX * UNITS_PER_DEGREE) ** 2
    const [north, east] = [latitude * UNITS_PER_DEGREE, longitude * UNITS_PER_DEGREE]
    // within 50 km the ground is flat enough
    const shrink = Math.cos((latitude * Math.PI) / 180)
    for (const cell of cellsAround(latitude, longitude)) {
      const end = this.#cellStarts[cell + 1] ?? 0
      for (let i = this.#cellStarts[cell] ?? 0; i < end; i++) {
        const up = (this.#latitudes[i] ?? 0) - north
        const across = Math.abs((this.#longitudes[i] ?? 0) - east)
        const right = Math.min(across, AROUND - across) * shrink
        const square = up * up + right * right
        if (square >= least) continue
        least = square
        nearest = i
      }
    }
    return nearest === undefined ? undefined : this.#namesOf(nearest)
  }

  #namesOf(i: number): PlaceNames {
    const [country = '', region = null] = this.#head.regions[this.#regions[i] ?? 0] ?? []
    return {
      name: this.#names.toString('utf8', this.#nameStarts[i], (this.#nameStarts[i + 1] ?? 0) - 1),
      region: region ?? undefined,
      countries: this.#head.countries[country] ?? []
    }
  }
}

function degrees(units: Int32Array, i: number): number {
  return (units[i] ?? 0) / UNITS_PER_DEGREE
}

/** @returns the cells that anything within {@link DISTANCE_MAX} can be in; near a pole, all of its rows */
function* cellsAround(latitude: number, longitude: number): Generator<number> {
  const shortest = Math.cos((Math.min(90, Math.abs(latitude) + DISTANCE_MAX) * Math.PI) / 180)
  const wide = Math.min(COLUMNS / 2, DISTANCE_MAX / Math.max(shortest, 1e-9))
  const [south, north] = [rowOf(latitude - DISTANCE_MAX), rowOf(latitude + DISTANCE_MAX)]
  const west = Math.floor(longitude - wide)
  const columns = Math.min(COLUMNS, Math.floor(longitude + wide) - west + 1)
  for (let row = south; row <= north; row++) for (let i = 0; i < columns; i++) yield row * COLUMNS + columnOf(west + i)
}

function cellOf(latitude: number, longitude: number): number {
  return rowOf(latitude) * COLUMNS + Math.min(COLUMNS - 1, Math.floor(longitude + 180))
}

function rowOf(latitude: number): number {
  return Math.min(ROWS - 1, Math.max(0, Math.floor(latitude + 90)))
}

/** @param longitude - may be beyond ±180 */
function columnOf(longitude: number): number {
  return (((Math.floor(longitude) + 180) % COLUMNS) + COLUMNS) % COLUMNS
}
