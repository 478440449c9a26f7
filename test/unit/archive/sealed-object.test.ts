import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SealingKey, sealedBytes } from '../../../src/archive/sealed-object.js'
import { noiseBytes } from '../../support/photo-maker.js'

const key = new SealingKey('a line of a key file, long and random')
const other = new SealingKey('another line of a key file, as random')
const CHUNK = 65_536
const PLACE = 'pieces/0123456789abcdef-1/256-512'
const DAMAGED = { code: 'ERR_ARCHIVE_DAMAGED' }

test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 20 * CHUNK + 7])('%i bytes come back', async size => {
  const plain = noiseBytes(1, size)
  const sealed = await key.seal(PLACE, plain)
  expect(sealed.byteLength).toBe(sealedBytes(size))
  expect(Buffer.compare(await key.open(PLACE, sealed), plain)).toBe(0)
})

test('the same bytes at the same place give the same object, and anything else another one', async () => {
  const plain = noiseBytes(1, 1_000)
  const hex = async (one: SealingKey, place: string, bytes: Uint8Array): Promise<string> =>
    Buffer.from(await one.seal(place, bytes)).toString('hex')
  const first = await hex(key, PLACE, plain)
  expect(await hex(key, PLACE, plain)).toBe(first)
  const others = [
    await hex(key, `${PLACE}0`, plain),
    await hex(other, PLACE, plain),
    await hex(key, PLACE, noiseBytes(2, 1_000))
  ]
  for (const sealed of others) expect(sealed.slice(80)).not.toBe(first.slice(80))
  expect(key.id).toMatch(/^[0-9a-f]{16}$/)
  expect(other.id).not.toBe(key.id)
})

test('nothing of the plain text can be seen', async () => {
  const plain = Buffer.alloc(3 * CHUNK, 'needle in a haystack ')
  const sealed = Buffer.from(await key.seal(PLACE, plain))
  expect(sealed.includes('needle in')).toBe(false)
  const chunks = [0, 1, 2].map(i => sealed.subarray(40 + i * (CHUNK + 16), 40 + i * (CHUNK + 16) + 64).toString('hex'))
  expect(new Set(chunks).size).toBe(3)
})

test('another key or another place does not open it', async () => {
  const sealed = await key.seal(PLACE, noiseBytes(1, 100))
  await expect(other.open(PLACE, sealed)).rejects.toMatchObject(DAMAGED)
  await expect(key.open('pieces/0123456789abcdef-1/512-768', sealed)).rejects.toMatchObject(DAMAGED)
})

test('any flipped bit is found', async () => {
  const sealed = await key.seal(PLACE, noiseBytes(1, 200))
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.byteLength * 8 - 1), async bit => {
      const flipped = Uint8Array.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      await expect(key.open(PLACE, flipped)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(ARCHIVE_DAMAGED|FORMAT_TOO_NEW)$/)
      })
    })
  )
})

test('chunks cannot be cut off, left out, doubled or exchanged', async () => {
  const sealed = Buffer.from(await key.seal(PLACE, noiseBytes(1, 3 * CHUNK)))
  const header = sealed.subarray(0, 40)
  const [a, b, c] = [0, 1, 2].map(i => sealed.subarray(40 + i * (CHUNK + 16), 40 + (i + 1) * (CHUNK + 16))) as [
    Buffer,
    Buffer,
    Buffer
  ]
  expect(Buffer.concat([header, a, b, c]).equals(sealed)).toBe(true)
  for (const chunks of [[a, b], [a, c], [b, c], [b, a, c], [a, b, b, c], [a, b, c, c], [c], [a]])
    await expect(key.open(PLACE, Buffer.concat([header, ...chunks]))).rejects.toMatchObject(DAMAGED)
  for (const length of [0, 10, 40, 55, 56, sealed.length - 1, sealed.length - 17])
    await expect(key.open(PLACE, sealed.subarray(0, length))).rejects.toMatchObject(DAMAGED)
})

test('a later format says so', async () => {
  const sealed = Buffer.from(await key.seal(PLACE, noiseBytes(1, 10)))
  sealed.writeUInt16BE(2, 8)
  await expect(key.open(PLACE, sealed)).rejects.toMatchObject({ code: 'ERR_FORMAT_TOO_NEW' })
})
