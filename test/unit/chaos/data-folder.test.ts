import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DataFolder } from '../../../chaos/drivers/data-folder.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const FILES = ['identity.key', 'directory/000005.ldb', 'directory/CURRENT', 'volumes/a-1.index', 'volumes/a-1.volume']

/** A folder in which each file is full of zeros. */
async function filled(): Promise<{ readonly folder: DataFolder; readonly path: string }> {
  const path = join(await temporaryDirectory(), 'n3')
  for (const name of ['directory', 'volumes', 'lock']) mkdirSync(join(path, name), { recursive: true })
  for (const name of FILES) writeFileSync(join(path, name), Buffer.alloc(100))
  writeFileSync(join(path, 'lock', '000001.log'), '')
  return { folder: new DataFolder(path), path }
}

/** @returns how many bits are set in each file that has any, and how long those are that have another length */
function changesIn(path: string): Record<string, number | string> {
  const changes: Record<string, number | string> = {}
  for (const name of FILES) {
    const bytes = readFileSync(join(path, name))
    const bits = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
    if (bits > 0) changes[name] = bits
    if (bytes.length !== 100) changes[name] = `${bytes.length} bytes`
  }
  return changes
}

describe('a data folder', () => {
  it.each([
    ['flip-volume', /^volumes\/a-1\.volume$/],
    ['flip-index', /^volumes\/a-1\.index$/],
    ['flip-directory', /^directory\//]
  ] as const)('has one bit flipped by %s', async (damage, where) => {
    const { folder, path } = await filled()
    expect(folder.harm(damage, new SeededRandom(1))).toMatch(/^a bit of byte \d+ of .* flipped$/)
    const [[name = '', bits] = [], ...others] = Object.entries(changesIn(path))
    expect([where.test(name), bits, others]).toEqual([true, 1, []])
  })

  it('has a volume truncated', async () => {
    const { folder, path } = await filled()
    expect(folder.harm('truncate', new SeededRandom(1))).toMatch(/^a-1\.volume truncated from 100 to \d+ bytes$/)
    expect(Object.keys(changesIn(path))).toEqual(['volumes/a-1.volume'])
    expect(folder.volumes()[0]?.byteCount).toBeLessThan(100)
  })

  it('is emptied, with its identity or without', async () => {
    const { folder, path } = await filled()
    folder.harm('wipe', new SeededRandom(1))
    expect(readdirSync(path)).toEqual(['identity.key'])
    folder.harm('replace', new SeededRandom(1))
    expect(readdirSync(path)).toEqual([])
    expect(folder.harm('flip-volume', new SeededRandom(1))).toBeUndefined()
  })

  it('becomes again what it was when it was first harmed, once that is past', async () => {
    const { folder, path } = await filled()
    const before = folder.volumes()
    expect(folder.harm('older-copy', new SeededRandom(1))).toBeUndefined()
    folder.harm('flip-volume', new SeededRandom(1))
    expect(folder.volumes()).not.toEqual(before)
    expect(folder.harm('older-copy', new SeededRandom(1))).toBe('an older copy of the folder')
    expect(folder.volumes()).toEqual(before)
    expect(changesIn(path)).toEqual({})
  })
})
