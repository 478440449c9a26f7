import { copyFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { GraphFiles } from '../../src/similarity/index/graph-files.js'
import { bytesPerPhoto } from '../../src/similarity/index/hnsw-index.js'
import { HnswIndexes } from '../../src/similarity/index/hnsw-indexes.js'
import type { VectorEntry, VectorIndex } from '../../src/similarity/index/vector-index.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { SeededRandom } from '../support/seeded-random.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import {
  gaussian,
  imageVector,
  MODEL,
  OTHER_MODEL,
  randomPhotoId,
  unit,
  unitVector,
  vectorEntries
} from '../support/vector-maker.js'

const DIMENSION = 16
const NAME = { model: MODEL, spaces: new Map([['image', DIMENSION]] as const) }
const BYTES_MAX = 2 ** 30

let random: SeededRandom
let folder: string
let warnings: string[]
let entries: VectorEntry[]

const open = (): Promise<VectorIndex> => {
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warnings.push(message) }
  return new HnswIndexes(
    { fileSystem: nodeFileSystem, random: systemRandom, log },
    { folder, bytesMax: BYTES_MAX }
  ).open(NAME)
}

const copies = (of: readonly VectorEntry[]): VectorEntry[] =>
  of.map(entry => ({ ...entry, vectors: new Map([['image', Float32Array.from(imageVector(entry))]] as const) }))

async function fileNames(end: string): Promise<string[]> {
  return (await readdir(folder)).filter(name => name.endsWith(end))
}

async function onlyFile(end: string): Promise<string> {
  const [name, ...more] = await fileNames(end)
  expect(more).toEqual([])
  return join(folder, name as string)
}

beforeEach(async () => {
  random = new SeededRandom(3)
  folder = await temporaryDirectory()
  warnings = []
  entries = vectorEntries(random, 200, DIMENSION)
  const index = await open()
  await index.add(copies(entries))
  await index.remove(entries.slice(0, 20).map(({ id }) => id))
  await index.save()
  await index.close()
  entries = entries.slice(20)
})

describe('a saved index', () => {
  test('is not believed with any bit changed: nothing of it reaches the library', async () => {
    for (const end of ['.index', '.graph']) {
      const path = await onlyFile(end)
      const intact = await readFile(path)
      for (let i = 0; i < 150; i++) {
        const damaged = Buffer.from(intact)
        // the first bytes hold counts and offsets that the library would follow
        const at = i < 60 ? i : random.below(intact.length)
        damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << random.below(8)), at)
        await writeFile(path, damaged)
        const { loaded, damage } = await new GraphFiles(NAME, folder).load()
        expect(loaded).toBeUndefined()
        expect(damage).toMatch(/checksum/)
      }
      await writeFile(path, intact)
    }
    expect((await new GraphFiles(NAME, folder).load()).damage).toBeUndefined()
  })

  test.each(['.index', '.graph'])('is not believed when %s is cut short', async end => {
    const path = await onlyFile(end)
    const { length } = await readFile(path)
    for (const byteCount of [0, 1, 40, length >> 1, length - 1]) {
      await truncate(path, byteCount)
      expect(await new GraphFiles(NAME, folder).load()).toMatchObject({ loaded: undefined, damage: expect.any(String) })
    }
  })

  test('is not believed without its graph, or with another one', async () => {
    const path = await onlyFile('.graph')
    await rename(path, join(folder, 'aside'))
    expect((await new GraphFiles(NAME, folder).load()).loaded).toBeUndefined()
    await writeFile(path, Buffer.alloc((await readFile(join(folder, 'aside'))).length))
    expect((await new GraphFiles(NAME, folder).load()).loaded).toBeUndefined()
  })

  test('opens empty when it is damaged, with a warning, and can be filled and saved again', async () => {
    const path = await onlyFile('.graph')
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes.readUInt8(500) ^ 4, 500)
    await writeFile(path, bytes)
    const index = await open()
    expect(index.size).toBe(0)
    expect(warnings).toEqual(['index is damaged; rebuilding it from the volumes'])
    await index.add(copies(entries))
    await index.save()
    await index.close()
    const again = await open()
    expect(again.size).toBe(entries.length)
    await again.close()
    expect(await fileNames('.graph')).toHaveLength(1)
  })

  test('stays as it was when saving breaks off before the head file is there', async () => {
    const head = await onlyFile('.index')
    const graph = await onlyFile('.graph')
    // what a crash leaves: a graph under a number that no head file names
    await copyFile(graph, graph.replace('.1.graph', '.2.graph'))
    await writeFile(`${head}.tmp`, 'half')
    const index = await open()
    expect(index.size).toBe(entries.length)
    await index.save()
    await index.close()
    expect(await fileNames('.graph')).toHaveLength(1)
  })

  test('a save that fails says so, and what was saved before stays', async () => {
    const index = await open()
    const head = await onlyFile('.index')
    await mkdir(`${head}.tmp`) // cannot be written to
    await expect(index.save()).rejects.toMatchObject({ code: 'ERR_INDEX_UNAVAILABLE' })
    expect(await index.search('image', imageVector(entries[0] as VectorEntry), 1)).toMatchObject({ neighbors: [{}] })
    await rm(`${head}.tmp`, { recursive: true })
    await index.save()
    await index.close()
    expect(warnings).toEqual([])
  })
})

describe('an index with many removed vectors', () => {
  test('is rebuilt without them while it is searched and changed, and its file shrinks', {
    timeout: 60_000
  }, async () => {
    const index = await open()
    let held = vectorEntries(random, 3_000, DIMENSION)
    await index.add(copies(held))
    await index.save()
    const { length: before } = await readFile(await onlyFile('.graph'))
    await index.remove(entries.map(({ id }) => id))
    await index.remove(held.slice(0, 2_400).map(({ id }) => id)) // here it begins
    held = held.slice(2_400)
    const late = vectorEntries(random, 100, DIMENSION)
    const changing = index.add(copies(late)).then(() => index.remove(late.slice(0, 50).map(({ id }) => id)))
    const query = unitVector(random, DIMENSION)
    expect((await index.search('image', query, 5)).neighbors).toHaveLength(5)
    await changing
    held.push(...late.slice(50))
    let bytes = before
    while (bytes > before / 2) {
      await index.save()
      bytes = (await readFile(await onlyFile('.graph'))).length
    }
    const check = async (of: VectorIndex): Promise<void> => {
      expect(of.size).toBe(held.length)
      for (let i = 0; i < 20; i++) {
        const vector = unitVector(random, DIMENSION)
        const { neighbors } = await of.search('image', vector, 10)
        expect(neighbors.map(({ id }) => id)).toEqual(nearest(held, vector, 10).map(({ id }) => id))
      }
    }
    await check(index)
    // labels that the old graph gave back are taken again
    const more = vectorEntries(random, 2_000, DIMENSION)
    await index.add(copies(more))
    held.push(...more)
    await check(index)
    await index.save()
    await index.close()
    const again = await open()
    await check(again)
    await again.close()
  })
})

describe('an index of long vectors', () => {
  const LONG = 300
  const LONG_NAME = { model: OTHER_MODEL, spaces: new Map([['image', LONG]] as const) }
  /** Of few directions, as those of photos are. */
  const axes = Array.from({ length: 30 }, (_, i) => unitVector(new SeededRandom(100 + i), LONG))
  const longVector = (): Float32Array => {
    const sum = unitVector(random, LONG)
    for (const axis of axes) {
      const along = gaussian(random)
      for (let i = 0; i < LONG; i++) sum[i] = (sum[i] ?? 0) + along * (axis[i] ?? 0)
    }
    return unit(sum)
  }
  const longEntries = (count: number): VectorEntry[] =>
    Array.from({ length: count }, (_, version) => ({
      id: randomPhotoId(random),
      version,
      audience: '-',
      vectors: new Map([['image', longVector()]] as const)
    }))
  const openLong = (): Promise<VectorIndex> =>
    new HnswIndexes(
      { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog },
      { folder, bytesMax: BYTES_MAX }
    ).open(LONG_NAME)

  /** Exact as long as there are few; then bounds, among the best of which are the nearest. */
  async function check(index: VectorIndex, held: readonly VectorEntry[], isExact: boolean): Promise<void> {
    expect(index.size).toBe(held.length)
    let found = 0
    for (let i = 0; i < 20; i++) {
      const query = longVector()
      const answer = await index.search('image', query, 64)
      expect(answer.isExact).toBe(isExact)
      const scores = new Map(nearest(held, query, held.length).map(({ id, score }) => [id, score]))
      for (const { id, score } of answer.neighbors) {
        const exact = scores.get(id) ?? Number.NaN
        if (isExact) expect(score).toBeCloseTo(exact, 5)
        else expect(score).toBeGreaterThan(exact - 1e-5)
      }
      const ids = answer.neighbors.map(({ id }) => id)
      found += nearest(held, query, 10).filter(({ id }) => ids.includes(id)).length
    }
    expect(found / 200).toBeGreaterThan(0.97)
  }

  test('holds them whole while they are few, then along the axes that it learned, which are saved with it', {
    timeout: 60_000
  }, async () => {
    const index = await openLong()
    let held = longEntries(2_000)
    await index.add(copies(held))
    await index.remove(held.slice(0, 200).map(({ id }) => id))
    held = held.slice(200)
    await check(index, held, true)
    const more = longEntries(2_600)
    for (let at = 0; at < more.length; at += 200) await index.add(copies(more.slice(at, at + 200)))
    held.push(...more)
    await check(index, held, false)
    await index.save()
    await index.close()
    const again = await openLong()
    await check(again, held, false)
    await again.remove(held.slice(0, 2_400).map(({ id }) => id)) // so many that it is rebuilt
    held = held.slice(2_400)
    await check(again, held, false)
    await again.clear()
    const few = longEntries(20)
    await again.add(copies(few))
    await check(again, few, false) // the axes stay
    await again.close()
  })
})

test('a saved index for which there is no memory is not loaded', async () => {
  const few = { folder, bytesMax: 50 * bytesPerPhoto(NAME.spaces) }
  const components = { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog }
  const index = await new HnswIndexes(components, few).open(NAME)
  expect(index.size).toBe(0)
  await index.close()
})

test('closing while it is saved waits for that, and ends', async () => {
  const index = await open()
  const saving = index.save()
  await index.close()
  await saving
  const again = await open()
  expect(again.size).toBe(entries.length)
  await again.close()
})

describe('the process of the graphs', () => {
  test('takes its indexes with it when it is killed; what was saved is there when they are opened again', async () => {
    const indexes = new HnswIndexes(
      { fileSystem: nodeFileSystem, random: systemRandom, log: silentLog },
      { folder, bytesMax: BYTES_MAX }
    )
    const [index, other] = [await indexes.open(NAME), await indexes.open({ ...NAME, model: OTHER_MODEL })]
    process.kill(indexes.pid as number, 'SIGKILL')
    const query = unitVector(random, DIMENSION)
    await expect(index.search('image', query, 1)).rejects.toMatchObject({ code: 'ERR_INDEX_UNAVAILABLE' })
    await expect(other.save()).rejects.toMatchObject({ code: 'ERR_INDEX_UNAVAILABLE' })
    await index.close()
    const again = await indexes.open(NAME)
    expect(again.size).toBe(entries.length)
    expect((await again.search('image', query, 5)).neighbors).toHaveLength(5)
    await other.close()
    expect(indexes.pid).toBeDefined()
    await again.close()
    expect(indexes.pid).toBeUndefined()
  })
})
