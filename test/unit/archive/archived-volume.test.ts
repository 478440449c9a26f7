import { expect, test } from 'vitest'
import {
  type ArchivedVolume,
  decodeHead,
  encodeHead,
  headName,
  headPlace,
  parseHeadName,
  pieceName
} from '../../../src/archive/archived-volume.js'
import type { Hlc } from '../../../src/domain/hlc.js'
import type { VolumeId } from '../../../src/domain/ids.js'
import { encodeSuperblock } from '../../../src/domain/superblock.js'

const MIB = 2 ** 20
const superblockOf = (volume: VolumeId): Uint8Array =>
  encodeSuperblock(
    { volume, capacityBytes: MIB, createdAt: 1n as Hlc, origin: Buffer.alloc(32), flags: 0 },
    () => new Uint8Array(64)
  )
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

const VOLUME: ArchivedVolume = {
  volume: '0123456789abcdef-7' as VolumeId,
  end: 1_000,
  digest: 'ab'.repeat(16),
  keyId: undefined,
  superblock: superblockOf('0123456789abcdef-7' as VolumeId),
  pieces: [
    { from: 256, to: 512, bytes: 256, sha256: '0'.repeat(64) },
    { from: 512, to: 1_000, bytes: 544, sha256: '1'.repeat(64) }
  ]
}
const KEY_ID = '00112233445566ff'

test('names say volume, length and digest, and are read back', () => {
  expect(headName(VOLUME)).toBe('heads/0123456789abcdef-7/1000-abababababababababababababababab')
  expect(headName({ ...VOLUME, keyId: KEY_ID })).toBe(`${headPlace(VOLUME)}-${KEY_ID}`)
  expect(pieceName(VOLUME.volume, VOLUME.pieces[0] as never)).toBe(
    `pieces/0123456789abcdef-7/256-512-${'0'.repeat(64)}`
  )
  for (const keyId of [undefined, KEY_ID]) {
    const { volume, end, digest } = VOLUME
    expect(parseHeadName(headName({ volume, end, digest, keyId }))).toEqual({ volume, end, digest, keyId })
  }
  for (const name of [
    'heads/x/1-2',
    'heads/0123456789abcdef-7/1000',
    `x${headName(VOLUME)}`,
    `${headName(VOLUME)}/`,
    ''
  ])
    expect(parseHeadName(name)).toBeUndefined()
})

test('a head comes back as it was', () => {
  expect(decodeHead(VOLUME, encodeHead(VOLUME))).toEqual(VOLUME)
})

test('what does not fit its name, or is no head, is damage', () => {
  const json = JSON.parse(Buffer.from(encodeHead(VOLUME)).toString())
  const [first, second] = json.pieces
  const wrong: unknown[] = [
    { ...json, format: 0 },
    { ...json, volume: '0123456789abcdef-8' },
    { ...json, end: 1_001 },
    { ...json, digest: '00'.repeat(16) },
    { ...json, superblock: '' },
    { ...json, superblock: 7 },
    { ...json, superblock: base64(VOLUME.superblock.with(20, 1)) },
    { ...json, superblock: base64(superblockOf('0123456789abcdef-8' as VolumeId)) },
    { ...json, pieces: null },
    { ...json, pieces: [] },
    { ...json, pieces: [first] },
    { ...json, pieces: [second] },
    { ...json, pieces: [second, first] },
    { ...json, pieces: [first, { ...second, to: 1_001 }] },
    { ...json, pieces: [first, { ...second, from: 511 }] },
    { ...json, pieces: [first, { ...second, bytes: -1 }] },
    { ...json, pieces: [first, { ...second, bytes: 1.5 }] },
    { ...json, pieces: [first, { ...second, bytes: 545 }] },
    { ...json, pieces: [first, { ...second, sha256: '../../x' }] },
    { ...json, pieces: [first, null] },
    [],
    null,
    7
  ]
  for (const one of wrong)
    expect(() => decodeHead(VOLUME, Buffer.from(JSON.stringify(one))), JSON.stringify(one)).toThrow(
      expect.objectContaining({ code: 'ERR_ARCHIVE_DAMAGED' })
    )
  expect(() => decodeHead(VOLUME, Buffer.from('{'))).toThrow(expect.objectContaining({ code: 'ERR_ARCHIVE_DAMAGED' }))
  expect(() => decodeHead(VOLUME, Buffer.from(JSON.stringify({ ...json, format: 2 })))).toThrow(
    expect.objectContaining({ code: 'ERR_FORMAT_TOO_NEW' })
  )
})

test('a head never makes a reader take more into memory than a piece can be', () => {
  const end = 256 + 200 * MIB
  const big = { ...VOLUME, end, pieces: [{ from: 256, to: end, bytes: end - 256, sha256: '0'.repeat(64) }] }
  expect(() => decodeHead(big, encodeHead(big))).toThrow(expect.objectContaining({ code: 'ERR_ARCHIVE_DAMAGED' }))
})
