import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { pieceName } from '../../../src/archive/archived-volume.js'
import { restoreFolder } from '../../../src/archive/restore-folder.js'
import { VolumeArchive } from '../../../src/archive/volume-archive.js'
import { systemClock } from '../../../src/core/clock.js'
import { nodeFileSystem } from '../../../src/core/node-file-system.js'
import type { Hlc } from '../../../src/domain/hlc.js'
import type { VolumeId } from '../../../src/domain/ids.js'
import { encodeSuperblock } from '../../../src/domain/superblock.js'
import { MemoryObjectStore } from '../../support/memory-object-store.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const [WHOLE, LOST, HEADLESS] = ['0123456789abcdef-1', '0123456789abcdef-2', '0123456789abcdef-3'] as [
  VolumeId,
  VolumeId,
  VolumeId
]
const { signal } = new AbortController()

function superblockOf(volume: VolumeId): Uint8Array {
  const origin = Buffer.alloc(32)
  return encodeSuperblock(
    { volume, capacityBytes: 1_000, createdAt: 1n as Hlc, origin, flags: 0 },
    () => new Uint8Array(64)
  )
}

test('damage restores nothing, or all the rest', async () => {
  const store = new MemoryObjectStore({ now: () => 0 })
  const archive = new VolumeArchive({ store, clock: systemClock }, { keys: [] })
  const superblock = superblockOf(WHOLE)
  const pieces = [
    await archive.putPiece(WHOLE, 256, Buffer.alloc(100, 'a'), signal),
    await archive.putPiece(WHOLE, 356, Buffer.alloc(100, 'b'), signal),
    await archive.putPiece(WHOLE, 456, Buffer.alloc(100, 'c'), signal)
  ]
  await archive.putHead({ volume: WHOLE, end: 556, digest: '00'.repeat(16), superblock, pieces }, [], signal)
  await store.put(pieceName(WHOLE, pieces[1] as never), Buffer.alloc(100, 'x'), signal)
  await store.put(`heads/${HEADLESS}/300-${'00'.repeat(16)}`, Buffer.from('{'), signal)

  const folder = `${await temporaryDirectory()}/data`
  const ends = new Map([WHOLE, LOST].map(volume => [volume, 300] as const))
  const backup = { nodeId: '12D3KooW', takenAtMs: 1, ends, files: new Map() }
  const restore = (damaged: boolean) =>
    restoreFolder(
      { archive, fileSystem: nodeFileSystem },
      { backup, folder, sameIdentity: false, damaged },
      () => {},
      signal
    )
  await expect(restore(false)).rejects.toMatchObject({
    code: 'ERR_ARCHIVE_DAMAGED',
    message: expect.stringContaining('--damaged restores the rest')
  })
  expect(existsSync(folder)).toBe(false)

  const report = await restore(true)
  expect(report).toMatchObject({ volumes: 1, bytes: 200 })
  expect(report.faults).toEqual([
    expect.stringContaining(LOST),
    expect.stringContaining(`pieces/${WHOLE}/356-456`),
    expect.stringContaining(HEADLESS)
  ])
  const expected = [superblock, Buffer.alloc(100, 'a'), Buffer.alloc(100), Buffer.alloc(100, 'c')]
  expect(readFileSync(`${folder}/volumes/${WHOLE}.volume`).equals(Buffer.concat(expected))).toBe(true)
})
