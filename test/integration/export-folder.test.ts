import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OpenFolder } from '../../src/cli/commands/export.js'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { openFolder } from '../../src/open-folder.js'
import { contentsOf, open, unpack } from '../support/old-folder.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { type CliResult, cli } from './cli-harness.js'

/* `sheaf export --from-folder`, from folders of the build of before. */

const reader: OpenFolder = folder => {
  const components = { clock: systemClock, random: systemRandom, fileSystem: nodeFileSystem, log: silentLog }
  return openFolder(components, { folder, version: '0.0.0' })
}

function exportFrom(folder: string, out: string, ...more: readonly string[]): Promise<CliResult> {
  return cli(['export', out, '--from-folder', folder, ...more], { openFolder: reader })
}

/** @returns the bytes of each file below, as text, by its path */
async function filesIn(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length), (await readFile(path)).toString('latin1'))
  }
  return files
}

test.each(['v1', 'v1-lives-a'])(
  'writes the files of %s that an export over HTTP writes, and changes no volume',
  async version => {
    const contents = await contentsOf(version)
    const [byNode, byFolder] = [await temporaryDirectory(), await temporaryDirectory()]
    const node = await open(await unpack(version), contents)
    expect(await cli(['export', byNode], { node: node.url })).toMatchObject({ code: 0, stderr: '' })
    const folder = await unpack(version)
    const volumes = await filesIn(join(folder, 'volumes'))
    expect(await exportFrom(folder, byFolder)).toMatchObject({ code: 0, stderr: '' })
    const files = await filesIn(byNode)
    expect(files.size).toBe(2 * contents.list.length)
    expect(await filesIn(byFolder)).toEqual(files)
    expect(await filesIn(join(folder, 'volumes'))).toEqual(volumes)
    expect(await exportFrom(folder, byFolder)).toMatchObject({ code: 0, stdout: '' }) // nothing is left to write
  }
)

test('a folder whose node runs, and one that is none, are left alone', async () => {
  const contents = await contentsOf('v1-lives-a')
  const folder = await unpack('v1-lives-a')
  const out = await temporaryDirectory()
  await open(folder, contents)
  expect(await exportFrom(folder, out)).toMatchObject({ code: 1, stderr: expect.stringContaining('(ERR_DATA_LOCKED)') })
  const none = join(out, 'none')
  expect(await exportFrom(none, out)).toMatchObject({ code: 2, stderr: expect.stringContaining('no data folder') })
  await expect(access(none)).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await exportFrom(folder, out, '--node', 'http://127.0.0.1:1')).toMatchObject({ code: 2 })
  expect(await readdir(out)).toEqual([])
})

test('a folder that is read has no port for other nodes', async () => {
  const listening = (): number => process.getActiveResourcesInfo().filter(name => name === 'TCPServerWrap').length
  const folder = await unpack('v1-lives-a')
  const before = listening()
  const opened = await reader(folder)
  try {
    expect(opened.url.hostname).toBe('127.0.0.1')
    expect(listening()).toBe(before + 1) // HTTP
  } finally {
    await opened.close()
  }
})
