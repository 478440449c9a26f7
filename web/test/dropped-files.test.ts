import { expect, test } from 'vitest'
import { droppedFiles } from '../src/upload/dropped-files.js'

const file = (name: string): FileSystemEntry =>
  ({ isFile: true, name, file: (done: (file: File) => void) => done(new File(['x'], name)) }) as FileSystemFileEntry
const brokenFile = (name: string): FileSystemEntry =>
  ({
    isFile: true,
    name,
    file: (_: unknown, fail: (error: Error) => void) => fail(new Error('gone'))
  }) as FileSystemFileEntry

/** Hands its entries out two at a time, as browsers do a hundred; then fails if it is broken. */
function folder(name: string, entries: readonly FileSystemEntry[], isBroken = false): FileSystemEntry {
  const createReader = (): FileSystemDirectoryReader => {
    const left = [...entries]
    return {
      readEntries: (done, fail) => {
        if (left.length === 0 && isBroken) fail?.(new DOMException('not readable'))
        else done(left.splice(0, 2))
      }
    }
  }
  return { isFile: false, name, createReader } as FileSystemDirectoryEntry
}

function drop(...entries: readonly FileSystemEntry[]): Parameters<typeof droppedFiles>[0] {
  const items = entries.map(entry => ({ webkitGetAsEntry: () => entry }))
  return { items: items as unknown as DataTransferItemList, files: [] as unknown as FileList }
}

const paths = (files: readonly { readonly folder: string; readonly name: string }[]): string[] =>
  files.map(({ folder, name }) => `${folder}/${name}`)

test('all files of all folders are taken, and none of folders that programs make', async () => {
  const year = folder('2024', [
    file('a.jpg'),
    folder('May', [file('b.jpg'), file('c.jpg'), file('d.jpg')]),
    file('e.jpg')
  ])
  const { files, unread } = await droppedFiles(drop(file('f.jpg'), year, folder('@eaDir', [file('g.jpg')])))
  expect(paths(files)).toEqual([
    '/f.jpg',
    '2024/a.jpg',
    '2024/May/b.jpg',
    '2024/May/c.jpg',
    '2024/May/d.jpg',
    '2024/e.jpg'
  ])
  expect(unread).toEqual([])
})

test('what cannot be read is named, and all else is taken', async () => {
  const year = folder('2024', [brokenFile('a.jpg'), folder('May', [file('b.jpg')], true), file('c.jpg')])
  const { files, unread } = await droppedFiles(drop(year))
  expect(paths(files)).toEqual(['2024/May/b.jpg', '2024/c.jpg'])
  expect(unread).toEqual(['2024/a.jpg', '2024/May'])
})
