import { beforeEach, describe, expect, test } from 'vitest'
import type { File, FileSystem } from '../../src/core/file-system.js'
import { SeededRandom, testSeeds } from '../support/seeded-random.js'
import { SimulatedDisk } from '../support/simulated-disk.js'
import { SimulatedFileSystem } from '../support/simulated-file-system.js'

// What the simulated disk does beyond the contract of FileSystem. Other tests trust it, so it is tested itself.

const SECTOR_BYTES = 512
const OLD = new Uint8Array(40_000).fill(1)
const NEW = new Uint8Array(40_000).fill(2)

let disk: SimulatedDisk
let fileSystem: FileSystem
beforeEach(() => {
  disk = new SimulatedDisk({ folders: ['/d'] })
  fileSystem = new SimulatedFileSystem(disk)
})

/** A file of `content`, durable with its name. */
async function durableFile(path: string, content: Uint8Array): Promise<File> {
  const file = await fileSystem.open(path, 'create')
  await file.write([content], 0)
  await file.sync()
  await fileSystem.syncDirectory('/d')
  return file
}

async function readAfter(fault: 'kill' | 'crash', path: string): Promise<string | undefined> {
  disk[fault]()
  const bytes = await new SimulatedFileSystem(disk).readFile(path)
  return bytes && Buffer.from(bytes).toString()
}

/** `toEqual` takes seconds for this. */
function expectBytes(bytes: Uint8Array | undefined, expected: Uint8Array): void {
  expect(bytes?.byteLength).toBe(expected.byteLength)
  expect(Buffer.compare(bytes!, expected)).toBe(0)
}

describe('a crash without luck', () => {
  test('loses what was written after the last sync, and no more', async () => {
    const file = await durableFile('/d/a', Buffer.from('kept'))
    await file.write([Buffer.from('LOST, and longer')], 0)
    expect(await readAfter('crash', '/d/a')).toBe('kept')
  })

  test('undoes a cut that was not synced', async () => {
    const file = await durableFile('/d/a', Buffer.from('kept'))
    await file.truncate(1)
    expect(await readAfter('crash', '/d/a')).toBe('kept')
  })

  test('loses a synced file whose name was not synced', async () => {
    const file = await fileSystem.open('/d/a', 'create')
    await file.write([Buffer.from('bytes')], 0)
    await file.sync()
    expect(await readAfter('crash', '/d/a')).toBeUndefined()
  })

  test('loses folders, renames and removals that were not synced', async () => {
    await durableFile('/d/a', Buffer.from('a'))
    await durableFile('/d/b', Buffer.from('b'))
    await fileSystem.rename('/d/a', '/d/c')
    await fileSystem.remove('/d/b')
    await fileSystem.makeDirectory('/d/x')
    disk.crash()
    expect(await new SimulatedFileSystem(disk).list('/d')).toEqual(['a', 'b'])
  })
})

describe('a kill', () => {
  test('keeps what was written, synced or not', async () => {
    const file = await fileSystem.open('/d/a', 'create')
    await file.write([Buffer.from('bytes')], 0)
    expect(await readAfter('kill', '/d/a')).toBe('bytes')
  })

  test('ends every call of the process, begun or not, and of none after it', async () => {
    const file = await durableFile('/d/a', Buffer.from('bytes'))
    const begun = [file.read(new Uint8Array(1), 0), file.sync(), fileSystem.list('/d'), fileSystem.remove('/d/a')]
    disk.kill()
    for (const call of [...begun, file.truncate(0), file.close(), fileSystem.open('/d/a', 'read')]) {
      await expect(call).rejects.toMatchObject({ code: 'ESRCH' })
    }
    expect(() => file.readSync(new Uint8Array(1), 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }))
    expect(await new SimulatedFileSystem(disk).list('/d')).toEqual(['a'])
  })

  test('cuts a write in flight anywhere', async () => {
    const sizes = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      disk = new SimulatedDisk({ folders: ['/d'], random: new SeededRandom(seed) })
      const file = await new SimulatedFileSystem(disk).open('/d/a', 'create')
      const write = file.write([NEW], 0)
      disk.kill()
      await expect(write).rejects.toMatchObject({ code: 'ESRCH' })
      const bytes = (await new SimulatedFileSystem(disk).readFile('/d/a'))!
      expectBytes(bytes, NEW.subarray(0, bytes.byteLength))
      sizes.add(bytes.byteLength)
    }
    expect(sizes.size).toBeGreaterThan(10)
  })
})

describe('a crash with luck', () => {
  async function crashWhileOverwriting(seed: number): Promise<Uint8Array> {
    disk = new SimulatedDisk({ folders: ['/d'], random: new SeededRandom(seed) })
    fileSystem = new SimulatedFileSystem(disk)
    const file = await durableFile('/d/a', OLD)
    await file.write([NEW, NEW], 0)
    disk.crash()
    return (await new SimulatedFileSystem(disk).readFile('/d/a'))!
  }

  test('leaves each sector old, new or, where the file grew, zero, and the length anywhere', async () => {
    const found = { old: 0, new: 0, zero: 0 }
    const sizes = new Set<number>()
    for (const seed of testSeeds(30)) {
      const bytes = await crashWhileOverwriting(seed)
      sizes.add(bytes.byteLength)
      expect(bytes.byteLength).toBeGreaterThanOrEqual(OLD.byteLength)
      for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
        const values = new Set(bytes.subarray(at, Math.min(at + SECTOR_BYTES, OLD.byteLength)))
        if (at >= OLD.byteLength) found[bytes[at] === 2 ? 'new' : 'zero']++
        else found[values.has(1) ? 'old' : 'new']++
        expect(values.size, `seed ${seed}: one sector, one value`).toBeLessThanOrEqual(1)
      }
    }
    expect(Math.min(found.old, found.new, found.zero)).toBeGreaterThan(10)
    expect(sizes.size).toBeGreaterThan(3)
  })

  test('is the same under the same seed', async () => {
    const first = await crashWhileOverwriting(7)
    expectBytes(await crashWhileOverwriting(7), first)
    expect(Buffer.compare(await crashWhileOverwriting(8), first)).not.toBe(0)
  })

  test('keeps a rename whole or not at all', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      disk = new SimulatedDisk({ folders: ['/d'], random: new SeededRandom(seed) })
      fileSystem = new SimulatedFileSystem(disk)
      await durableFile('/d/a', OLD)
      await fileSystem.rename('/d/a', '/d/b')
      disk.crash()
      outcomes.add((await new SimulatedFileSystem(disk).list('/d')).join())
    }
    expect([...outcomes].sort()).toEqual(['a', 'b'])
  })
})

test.each(testSeeds(60))('an atomic write is whole or not there after a crash at any moment (seed %i)', async seed => {
  const random = new SeededRandom(seed)
  disk = new SimulatedDisk({ folders: ['/d'], random })
  fileSystem = new SimulatedFileSystem(disk)
  await fileSystem.writeFileAtomic('/d/a', OLD)
  let done = false
  const write = fileSystem.writeFileAtomic('/d/a', NEW).then(
    () => {
      done = true
    },
    err => expect(err).toMatchObject({ code: 'ESRCH' })
  )
  for (let turns = random.below(60); turns > 0; turns--) await Promise.resolve()
  disk.crash()
  await write
  const survivor = new SimulatedFileSystem(disk)
  const bytes = (await survivor.readFile('/d/a'))!
  expectBytes(bytes, !done && bytes[0] === 1 ? OLD : NEW)

  await survivor.writeFileAtomic('/d/a', NEW)
  disk.crash()
  expectBytes(await new SimulatedFileSystem(disk).readFile('/d/a'), NEW)
})

describe('faults', () => {
  let file: File
  beforeEach(async () => {
    file = await durableFile('/d/a', OLD)
    await durableFile('/d/b', OLD)
  })

  test('a read of the range fails, as often as told', async () => {
    disk.fail('read', { path: '/d/a', from: 1_000, to: 2_000, times: 3 })
    const into = new Uint8Array(100)
    expect(await file.read(into, 900)).toBe(100)
    expect(await file.read(into, 2_000)).toBe(100)
    expect(await (await fileSystem.open('/d/b', 'read')).read(into, 1_000)).toBe(100)
    await expect(file.read(into, 901)).rejects.toMatchObject({ code: 'EIO' })
    await expect(file.read(into, 1_999)).rejects.toMatchObject({ code: 'EIO' })
    expect(() => file.readSync(into, 1_500)).toThrow(expect.objectContaining({ code: 'EIO' }))
    expect(await file.read(into, 1_500)).toBe(100)
  })

  test('a fault without bounds stays until it is healed', async () => {
    disk.fail('read')
    for (let i = 0; i < 5; i++) {
      await expect(file.read(new Uint8Array(1), i)).rejects.toMatchObject({ code: 'EIO' })
    }
    disk.heal()
    expect(await file.read(new Uint8Array(1), 0)).toBe(1)
  })

  test('a write fails', async () => {
    disk.fail('write', { path: '/d/a', times: 1 })
    await expect(file.write([NEW], 0)).rejects.toMatchObject({ code: 'EIO' })
    expect(await file.write([NEW], 0)).toBe(NEW.byteLength)
  })

  test('a failed sync loses its bytes for ever, although they can be read and the next sync succeeds', async () => {
    await file.write([NEW], 0)
    disk.fail('sync', { path: '/d/a', times: 1 })
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    expectBytes(await fileSystem.readFile('/d/a'), NEW)
    await file.write([Uint8Array.of(3)], OLD.byteLength + 8_192)
    await file.sync()

    disk.crash()
    const bytes = (await new SimulatedFileSystem(disk).readFile('/d/a'))!
    expectBytes(bytes.subarray(0, OLD.byteLength), OLD)
    expect(bytes.at(-1)).toBe(3)
  })

  test('the sync of a folder fails', async () => {
    disk.fail('sync', { path: '/d', times: 1 })
    await expect(fileSystem.syncDirectory('/d')).rejects.toMatchObject({ code: 'EIO' })
    await fileSystem.syncDirectory('/d')
  })

  test('a flipped bit and a cut are there before and after a crash', async () => {
    disk.flipBit('/d/a', 5_000, 7)
    disk.truncate('/d/a', 6_000)
    for (const crash of [false, true]) {
      if (crash) disk.crash()
      const bytes = (await new SimulatedFileSystem(disk).readFile('/d/a'))!
      expect(bytes.byteLength).toBe(6_000)
      expect(bytes[5_000]).toBe(129)
      expect(bytes.filter(byte => byte !== 1)).toEqual(Uint8Array.of(129))
    }
  })

  test('a snapshot comes back as it was, twice, whatever happened since', async () => {
    await file.write([Buffer.from('not synced')], 0)
    const snapshot = disk.snapshot()
    for (let round = 0; round < 2; round++) {
      const process = new SimulatedFileSystem(disk)
      await process.remove('/d/b')
      await (await process.open('/d/a', 'write')).write([NEW], 0)
      disk.restore(snapshot)
      await expect(process.list('/d')).rejects.toMatchObject({ code: 'ESRCH' })
      const after = new SimulatedFileSystem(disk)
      expect(await after.list('/d')).toEqual(['a', 'b'])
      expect(Buffer.from((await after.readFile('/d/a'))!.subarray(0, 11)).toString()).toBe('not synced\x01')
    }
    disk.crash()
    expectBytes(await new SimulatedFileSystem(disk).readFile('/d/a'), OLD)
  })
})

describe('a full disk', () => {
  beforeEach(() => {
    disk.capacityBytes = 100_000
  })

  test('writes what fits, then nothing', async () => {
    const file = await durableFile('/d/a', OLD)
    expect(await file.write([OLD, OLD], OLD.byteLength)).toBe(60_000)
    expect(await fileSystem.space('/d')).toEqual({ freeBytes: 0, totalBytes: 100_000 })
    await expect(file.write([Uint8Array.of(1)], 100_000)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await file.size()).toBe(100_000)
  })

  test('still overwrites', async () => {
    const file = await durableFile('/d/a', OLD)
    disk.capacityBytes = OLD.byteLength
    expect(await file.write([NEW], 0)).toBe(NEW.byteLength)
  })

  test('keeps the old file when an atomic write does not fit', async () => {
    await fileSystem.writeFileAtomic('/d/a', OLD)
    await durableFile('/d/b', OLD)
    await expect(fileSystem.writeFileAtomic('/d/a', NEW)).rejects.toMatchObject({ code: 'ENOSPC' })
    expectBytes(await fileSystem.readFile('/d/a'), OLD)
    expect(await fileSystem.list('/d')).toEqual(['a', 'b'])
    expect(disk.freeBytes).toBe(20_000)
  })

  test('has room again after cuts, and after removals once nobody has the file open', async () => {
    const [a, b] = [await durableFile('/d/a', OLD), await durableFile('/d/b', OLD)]
    expect(disk.freeBytes).toBe(20_000)
    await a.truncate(10_000)
    expect(disk.freeBytes).toBe(50_000)
    await fileSystem.remove('/d/b')
    expect(disk.freeBytes).toBe(50_000)
    await b.close()
    expect(disk.freeBytes).toBe(90_000)
    await fileSystem.writeFileAtomic('/d/c', OLD)
    await fileSystem.rename('/d/c', '/d/a')
    expect(disk.freeBytes).toBe(50_000)
    disk.kill()
    expect(disk.freeBytes).toBe(60_000)
    disk.crash() // undoes the cut and the rename, not the removal, which the atomic write's sync of the folder covered
    expect(disk.freeBytes).toBe(20_000)
  })
})

test('counts what it does', async () => {
  const file = await durableFile('/d/a', OLD)
  expect(disk.counts).toEqual({ reads: 0, writes: 1, syncs: 2 })
  await file.read(new Uint8Array(10), 0)
  file.readSync(new Uint8Array(10), 0)
  expect(disk.counts).toEqual({ reads: 2, writes: 1, syncs: 2 })
})
