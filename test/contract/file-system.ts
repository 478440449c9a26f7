import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { File, FileSystem } from '../../src/core/file-system.js'

export interface FileSystemUnderTest {
  readonly fileSystem: FileSystem
  /** An empty folder. */
  readonly root: string
}

/** What every implementation of {@link FileSystem} keeps to. */
export function fileSystemContract(name: string, setUp: () => Promise<FileSystemUnderTest>): void {
  describe(`${name} keeps the contract of FileSystem`, () => {
    let fileSystem: FileSystem
    let at: (...names: string[]) => string

    beforeEach(async () => {
      const underTest = await setUp()
      fileSystem = underTest.fileSystem
      at = (...names) => join(underTest.root, ...names)
    })

    describe('open', () => {
      test.each(['read', 'write'] as const)('%s needs a file', async mode => {
        await expect(fileSystem.open(at('none'), mode)).rejects.toMatchObject({ code: 'ENOENT' })
      })

      test('create needs the name to be free', async () => {
        await makeFile('a', 'old')
        await expect(fileSystem.open(at('a'), 'create')).rejects.toMatchObject({ code: 'EEXIST' })
        expect(await text('a')).toBe('old')
      })

      test('create needs the folder', async () => {
        await expect(fileSystem.open(at('none', 'a'), 'create')).rejects.toMatchObject({ code: 'ENOENT' })
      })

      test('write keeps what is there', async () => {
        await makeFile('a', 'abcdef')
        const file = await fileSystem.open(at('a'), 'write')
        expect(await file.write([bytes('XY')], 2)).toBe(2)
        await file.close()
        expect(await text('a')).toBe('abXYef')
      })

      test('read does not write', async () => {
        await makeFile('a', 'abc')
        const file = await fileSystem.open(at('a'), 'read')
        await expect(file.write([bytes('X')], 0)).rejects.toMatchObject({ code: 'EBADF' })
        await file.close()
        expect(await text('a')).toBe('abc')
      })
    })

    describe('a file', () => {
      let file: File

      beforeEach(async () => {
        file = await fileSystem.open(at('a'), 'create')
        return () => file.close()
      })

      test('is empty when created', async () => {
        expect(await file.size()).toBe(0)
        expect(await file.read(new Uint8Array(8), 0)).toBe(0)
        expect(file.readSync(new Uint8Array(8), 0)).toBe(0)
      })

      test('writes all parts one after the other', async () => {
        expect(await file.write([bytes('one '), bytes(''), bytes('two '), bytes('three')], 0)).toBe(13)
        expect(await file.size()).toBe(13)
        expect(await text('a')).toBe('one two three')
      })

      test('writes nothing from no parts', async () => {
        expect(await file.write([], 0)).toBe(0)
        expect(await file.write([bytes('')], 5)).toBe(0)
        expect(await file.size()).toBe(0)
      })

      test('writes more parts than the kernel takes in one call', async () => {
        const parts = Array.from({ length: 2_500 }, (_, i) => Uint8Array.of(i, i >> 8, i * 7))
        expect(await file.write(parts, 11)).toBe(7_500)
        const read = new Uint8Array(7_500)
        expect(await file.read(read, 11)).toBe(7_500)
        expect(Buffer.compare(read, Buffer.concat(parts))).toBe(0)
      })

      test('writes a part that is larger than one call writes', async () => {
        const large = new Uint8Array(40 * 2 ** 20).map((_, i) => i ^ (i >>> 12))
        expect(await file.write([bytes('head'), large, bytes('tail')], 0)).toBe(large.byteLength + 8)
        expect(await file.size()).toBe(large.byteLength + 8)
        const read = new Uint8Array(large.byteLength)
        expect(await file.read(read, 4)).toBe(large.byteLength)
        expect(Buffer.compare(read, large)).toBe(0)
        const tail = new Uint8Array(4)
        await file.read(tail, 4 + large.byteLength)
        expect(Buffer.from(tail).toString()).toBe('tail')
      })

      test('reads fewer bytes only at its end', async () => {
        await file.write([bytes('0123456789')], 0)
        for (const read of [file.read.bind(file), file.readSync.bind(file)]) {
          const into = new Uint8Array(4)
          expect(await read(into, 2)).toBe(4)
          expect(Buffer.from(into).toString()).toBe('2345')
          expect(await read(into, 8)).toBe(2)
          expect(Buffer.from(into).toString()).toBe('8945')
          expect(await read(into, 10)).toBe(0)
          expect(await read(into, 1_000)).toBe(0)
        }
      })

      test('reads into the middle of a buffer', async () => {
        await file.write([bytes('abcdef')], 0)
        const buffer = new Uint8Array(10).fill(46)
        await file.read(buffer.subarray(2, 5), 1)
        file.readSync(buffer.subarray(6, 8), 4)
        expect(Buffer.from(buffer).toString()).toBe('..bcd.ef..')
      })

      test('is zero where nothing was written, also beyond 4 GiB', async () => {
        const far = 5 * 2 ** 30 + 7
        await file.write([bytes('far')], far)
        expect(await file.size()).toBe(far + 3)
        const read = new Uint8Array(6).fill(9)
        expect(await file.read(read, far - 3)).toBe(6)
        expect(Buffer.from(read).toString()).toBe('\0\0\0far')
        expect(file.readSync(read.fill(9), 2 ** 31 - 3)).toBe(6)
        expect(read).toEqual(new Uint8Array(6))
      })

      test('is cut and extended', async () => {
        await file.write([bytes('abcdef')], 0)
        await file.truncate(3)
        expect(await text('a')).toBe('abc')
        await file.truncate(5)
        expect(await text('a')).toBe('abc\0\0')
      })

      test('syncs', async () => {
        await file.write([bytes('abc')], 0)
        await file.sync()
        expect(await text('a')).toBe('abc')
      })

      test('stays readable through its handle after it was removed', async () => {
        await file.write([bytes('abc')], 0)
        await fileSystem.remove(at('a'))
        const read = new Uint8Array(3)
        expect(await file.read(read, 0)).toBe(3)
        expect(Buffer.from(read).toString()).toBe('abc')
      })

      test('closes after what is in flight, and once', async () => {
        const writes = Array.from({ length: 8 }, (_, i) => file.write([bytes(`${i}`)], i))
        const sync = file.sync()
        await file.close()
        expect(await Promise.all(writes)).toEqual(new Array(8).fill(1))
        await sync
        await file.close()
        expect(await text('a')).toBe('01234567')
      })

      test('finishes at close what takes many calls', async () => {
        const parts = [new Uint8Array(20 * 2 ** 20).fill(1), ...Array.from({ length: 2_000 }, () => Uint8Array.of(2))]
        const write = file.write(parts, 0)
        await file.close()
        expect(await write).toBe(20 * 2 ** 20 + 2_000)
        expect((await fileSystem.readFile(at('a')))?.at(-1)).toBe(2)
      })

      test('refuses everything once closed', async () => {
        await file.close()
        const closed = { code: 'EBADF' }
        await expect(file.read(new Uint8Array(1), 0)).rejects.toMatchObject(closed)
        await expect(file.write([bytes('x')], 0)).rejects.toMatchObject(closed)
        await expect(file.sync()).rejects.toMatchObject(closed)
        await expect(file.truncate(0)).rejects.toMatchObject(closed)
        await expect(file.size()).rejects.toMatchObject(closed)
        expect(() => file.readSync(new Uint8Array(1), 0)).toThrow(expect.objectContaining(closed))
      })
    })

    describe('folders', () => {
      test('are made with their parents, again and again', async () => {
        await fileSystem.makeDirectory(at('x', 'y', 'z'))
        await fileSystem.makeDirectory(at('x', 'y', 'z'))
        expect(await fileSystem.list(at('x'))).toEqual(['y'])
        expect(await fileSystem.list(at('x', 'y', 'z'))).toEqual([])
      })

      test('cannot be made where a file is, or below one', async () => {
        await makeFile('a', 'abc')
        await expect(fileSystem.makeDirectory(at('a'))).rejects.toMatchObject({ code: 'EEXIST' })
        await expect(fileSystem.makeDirectory(at('a', 'b', 'c'))).rejects.toMatchObject({ code: 'ENOTDIR' })
        expect(await text('a')).toBe('abc')
      })

      test('are made once by many at a time', async () => {
        await Promise.all(Array.from({ length: 8 }, (_, i) => fileSystem.makeDirectory(at('x', 'y', `${i % 2}`))))
        expect(await fileSystem.list(at('x', 'y'))).toEqual(['0', '1'])
      })

      test('list their entries sorted', async () => {
        for (const name of ['b', 'a', 'c10', 'c9']) await makeFile(name, '')
        await fileSystem.makeDirectory(at('bb'))
        expect(await fileSystem.list(at())).toEqual(['a', 'b', 'bb', 'c10', 'c9'])
      })

      test('that are missing cannot be listed or synced', async () => {
        await expect(fileSystem.list(at('none'))).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(fileSystem.syncDirectory(at('none'))).rejects.toMatchObject({ code: 'ENOENT' })
      })

      test('are synced', async () => {
        await makeFile('a', 'abc')
        await fileSystem.syncDirectory(at())
        expect(await text('a')).toBe('abc')
      })

      test('are removed with all in them, and harmlessly when missing', async () => {
        await fileSystem.makeDirectory(at('x', 'y'))
        await makeFile(join('x', 'y', 'a'), 'abc')
        await fileSystem.removeDirectory(at('x'))
        await fileSystem.removeDirectory(at('x'))
        expect(await fileSystem.list(at())).toEqual([])
      })

      test('say how much space there is', async () => {
        const { freeBytes, totalBytes } = await fileSystem.space(at())
        expect(freeBytes).toBeGreaterThan(0)
        expect(freeBytes).toBeLessThanOrEqual(totalBytes)
      })
    })

    describe('whole files', () => {
      test('are undefined when missing', async () => {
        expect(await fileSystem.readFile(at('none'))).toBeUndefined()
      })

      test('are written, and replaced', async () => {
        await fileSystem.writeFileAtomic(at('a'), bytes('the first, longer one'))
        expect(await text('a')).toBe('the first, longer one')
        await fileSystem.writeFileAtomic(at('a'), bytes('second'))
        expect(await text('a')).toBe('second')
        expect(await fileSystem.list(at())).toEqual(['a'])
      })

      test('are replaced although a crash left a temporary file', async () => {
        await makeFile('a.tmp', 'half of something')
        await fileSystem.writeFileAtomic(at('a'), bytes('whole'))
        expect(await text('a')).toBe('whole')
        expect(await fileSystem.list(at())).toEqual(['a'])
      })

      test('are removed, and harmlessly when missing', async () => {
        await makeFile('a', 'abc')
        await fileSystem.remove(at('a'))
        await fileSystem.remove(at('a'))
        expect(await fileSystem.list(at())).toEqual([])
      })

      test('are renamed over others', async () => {
        await makeFile('a', 'new')
        await makeFile('b', 'old')
        await fileSystem.rename(at('a'), at('b'))
        expect(await fileSystem.list(at())).toEqual(['b'])
        expect(await text('b')).toBe('new')
        await expect(fileSystem.rename(at('a'), at('b'))).rejects.toMatchObject({ code: 'ENOENT' })
      })

      test('move between folders, as folders do', async () => {
        await fileSystem.makeDirectory(at('x'))
        await fileSystem.makeDirectory(at('y'))
        await makeFile(join('x', 'a'), 'abc')
        await fileSystem.rename(at('x', 'a'), at('y', 'b'))
        await fileSystem.rename(at('y'), at('z'))
        expect(await text(join('z', 'b'))).toBe('abc')
        expect(await fileSystem.list(at())).toEqual(['x', 'z'])
      })
    })

    async function makeFile(name: string, content: string): Promise<void> {
      const file = await fileSystem.open(at(name), 'create')
      await file.write([bytes(content)], 0)
      await file.close()
    }

    async function text(name: string): Promise<string | undefined> {
      const content = await fileSystem.readFile(at(name))
      return content && Buffer.from(content).toString()
    }
  })
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}
