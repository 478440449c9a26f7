import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { FolderObjectStore } from '../../../src/archive/folder-object-store.js'
import type { FileSystem } from '../../../src/core/file-system.js'
import { nodeFileSystem } from '../../../src/core/node-file-system.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

test('a folder beside the objects that cannot be read, as lost+found of a disk, is of no matter', async () => {
  const folder = await temporaryDirectory()
  const listed: string[] = []
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    list: async path => {
      listed.push(path.slice(folder.length))
      if (path.endsWith('lost+found')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
      return await nodeFileSystem.list(path)
    }
  }
  const store = new FolderObjectStore({ fileSystem }, { folder })
  const { signal } = new AbortController()
  await nodeFileSystem.makeDirectory(`${folder}/lost+found`)
  for (const name of ['heads/v/1', 'heads/w/1', 'pieces/v/1']) await store.put(name, Buffer.from('x'), signal)
  listed.length = 0
  const names: string[] = []
  for await (const { name } of store.list('heads/v/', signal)) names.push(name)
  expect(names).toEqual(['heads/v/1'])
  expect(listed).toEqual(['/heads/v', '/heads/v/1']) // and not, for each volume, everything
})

test('a folder or a pipe in the place of an object is damage, and is not waited for', async () => {
  const folder = await temporaryDirectory()
  const store = new FolderObjectStore({ fileSystem: nodeFileSystem }, { folder })
  const { signal } = new AbortController()
  await nodeFileSystem.makeDirectory(`${folder}/heads/a`)
  execFileSync('mkfifo', [`${folder}/heads/b`])
  for (const name of ['heads/a', 'heads/b']) {
    const found = await store.get(name, 1_000_000, signal).catch(err => err.code)
    expect([name, found === 'ERR_ARCHIVE_DAMAGED' || found.byteLength === 0]).toEqual([name, true])
  }
})
