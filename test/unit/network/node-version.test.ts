import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VersionRange } from '../../../src/domain/formats.js'
import { hlcFrom } from '../../../src/domain/hlc.js'
import {
  decodeVersion,
  encodeVersion,
  type NodeVersion,
  obstacleBetween,
  ownVersion,
  readVersion
} from '../../../src/network/node-version.js'

const malformed = { code: 'ERR_PEER_PROTOCOL' }

/** @returns a reader of exactly these bytes, which rejects beyond their end */
function reader(bytes: Uint8Array): (byteCount: number) => Promise<Uint8Array> {
  let at = 0
  return async byteCount => {
    if (at + byteCount > bytes.length) throw new Error('the connection has ended')
    at += byteCount
    return bytes.subarray(at - byteCount, at)
  }
}

const decoded = async (bytes: Uint8Array): Promise<NodeVersion> => decodeVersion(await readVersion(reader(bytes)))

/** @returns ranges of versions up to `max` */
function ranges(max: number): fc.Arbitrary<VersionRange> {
  const version = fc.integer({ min: 1, max })
  return fc.tuple(version, version).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }))
}

test('bytes stand as documented', () => {
  const bytes = encodeVersion({
    program: '0.1.0',
    formats: { min: 2, max: 0x0304 },
    clusterFormat: 0x0203,
    tree: { min: 4, max: 5 },
    gossip: { min: 6, max: 7 }
  })
  const program = Buffer.from('0.1.0').toString('hex')
  expect(Buffer.from(bytes).toString('hex')).toBe(`001000020304${'05'}${program}020304050607`)
})

test('what one side encodes the other decodes', async () => {
  const versions = fc.record({
    program: fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map(code => String.fromCharCode(code)),
      maxLength: 64
    }),
    formats: ranges(0xffff),
    clusterFormat: fc.integer({ min: 1, max: 0xffff }),
    tree: ranges(0xff),
    gossip: ranges(0xff)
  })
  await fc.assert(
    fc.asyncProperty(versions, async version => {
      expect(await decoded(encodeVersion(version))).toEqual(version)
    })
  )
})

test('a text longer than 64 characters is cut', async () => {
  const { program } = await decoded(encodeVersion(ownVersion('x'.repeat(300), { min: 2, max: 2 })))
  expect(program).toBe('x'.repeat(64))
})

test('what is told of the past follows the text; a build that tells nothing is read as well', async () => {
  const silent = ownVersion('0.1.0', { min: 2, max: 2 })
  const past = { horizon: hlcFrom(0x0102), promise: hlcFrom(0x03) }
  const bytes = encodeVersion({ ...silent, past })
  expect(bytes.byteLength).toBe(encodeVersion(silent).byteLength + 16)
  expect(Buffer.from(bytes.subarray(-16)).toString('hex')).toBe('0000000001020000' + '0000000000030000')
  expect(await decoded(bytes)).toEqual({ ...silent, past })
  expect(await decoded(encodeVersion(silent))).toEqual(silent)
  const cut = Buffer.from(bytes.subarray(0, -1))
  cut.writeUInt16BE(cut.length - 2)
  await expect(decoded(cut)).rejects.toMatchObject(malformed)
})

test('whoever was beyond the horizon is refused, once the formats fit', () => {
  const at = (ms: number, max = 2): NodeVersion => {
    return { ...ownVersion('0', { min: max, max }), past: { horizon: hlcFrom(ms), promise: hlcFrom(ms) } }
  }
  expect(obstacleBetween(at(2), at(2))).toBeUndefined()
  expect(obstacleBetween(at(2), at(1))).toMatch(/^the other node was beyond the horizon/)
  expect(obstacleBetween(at(1), ownVersion('0', { min: 2, max: 2 }))).toBeUndefined()
  expect(obstacleBetween(at(2), at(1, 3))).toMatch(/no record format in common/)
})

test('fields of later versions are ignored, up to 256 bytes', async () => {
  const past = { horizon: hlcFrom(1), promise: undefined }
  const version = { ...ownVersion('2.0.0', { min: 2, max: 3 }), clusterFormat: 3, past }
  const body = encodeVersion(version).subarray(2)
  const withMore = (bytes: number): Buffer => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(bytes)
    return Buffer.concat([length, body, Buffer.alloc(bytes - body.length, 0xff)])
  }
  expect(await decoded(withMore(256))).toEqual(version)
  await expect(decoded(withMore(257))).rejects.toMatchObject(malformed)
})

test('a node that tells only its formats is taken for one of the first builds that did', async () => {
  const { formats, clusterFormat, tree, gossip } = await decoded(Buffer.from('000500020003' + '00', 'hex'))
  const one = { min: 1, max: 1 }
  expect({ formats, clusterFormat, tree, gossip }).toEqual({
    formats: { min: 2, max: 3 },
    clusterFormat: 1,
    tree: one,
    gossip: one
  })
})

test.each([
  ['shorter than the fixed fields', '0004' + '00020003'],
  ['text beyond the end', '0005' + '00020003' + '01'],
  ['text above 64 bytes', `0046${'00020003'}41${'78'.repeat(65)}`],
  ['a control character', '0006' + '00020003' + '01' + '0a'],
  ['a character beyond ASCII', '0006' + '00020003' + '01' + 'e9'],
  ['format 0', '0005' + '00000003' + '00'],
  ['a range that ends before it begins', '0005' + '00030002' + '00'],
  ['fields behind the text that end too early', '000a' + '00020003' + '00' + '0002010101'],
  ['a cluster of format 0', '000b' + '00020003' + '00' + '000001010101'],
  ['trees of version 0', '000b' + '00020003' + '00' + '000200010101'],
  ['gossip that ends before it begins', '000b' + '00020003' + '00' + '000201010201']
])('malformed: %s', async (_what, hex) => {
  await expect(decoded(Buffer.from(hex, 'hex'))).rejects.toMatchObject(malformed)
})

test('any bytes are a version, malformed, or end too early', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async bytes => {
      const outcome: unknown = await decoded(bytes).catch((err: unknown) => err)
      if (outcome instanceof Error && outcome.message !== 'the connection has ended') {
        expect(outcome).toMatchObject(malformed)
      }
    })
  )
})

test.each([
  [[2, 2], [2, 2], undefined],
  [[2, 3], [3, 4], undefined],
  [[2, 9], [4, 5], undefined],
  [[2, 2], [3, 3], 'upgrade this node'],
  [[4, 5], [2, 3], 'upgrade the other node']
] as const)('formats %j here and %j there', (own, other, advice) => {
  const versionOf = (program: string, [min, max]: readonly [number, number]): NodeVersion =>
    ownVersion(program, { min, max })
  const obstacle = obstacleBetween(versionOf('1.0.0', own), versionOf('7.0.0', other))
  if (advice === undefined) expect(obstacle).toBeUndefined()
  else for (const part of [advice, '1.0.0', '7.0.0', 'UPGRADING.md']) expect(obstacle).toContain(part)
})

test.each([
  ['the cluster of this node', { clusterFormat: 3 }, {}, 'upgrade the other node'],
  ['the cluster of the other one', {}, { clusterFormat: 4 }, 'upgrade this node and the other node'],
  ['trees', { tree: { min: 2, max: 3 } }, { tree: { min: 1, max: 1 } }, 'upgrade the other node'],
  ['gossip', { gossip: { min: 1, max: 1 } }, { gossip: { min: 2, max: 2 } }, 'upgrade this node'],
  ['nothing', { clusterFormat: 2, tree: { min: 1, max: 3 } }, { tree: { min: 2, max: 4 } }, undefined]
] as const)('what keeps them apart is %s', (_what, own, other, advice) => {
  const here = { ...ownVersion('1.0.0', { min: 2, max: 3 }), ...own }
  const there = { ...ownVersion('7.0.0', { min: 2, max: 2 }), ...other }
  const obstacle = obstacleBetween(here, there)
  if (advice === undefined) expect(obstacle).toBeUndefined()
  else expect(obstacle).toContain(`: ${advice}, see UPGRADING.md`)
})
