import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProtobufWriter } from '../../../../src/similarity/onnx/protobuf-writer.js'

const hex = (writer: ProtobufWriter): string => Buffer.from(writer.finish()).toString('hex')

test('the examples of the encoding guide', () => {
  expect(hex(new ProtobufWriter().int(1, 150))).toBe('089601')
  expect(hex(new ProtobufWriter().text(2, 'testing'))).toBe('120774657374696e67')
  expect(hex(new ProtobufWriter().message(3, new ProtobufWriter().int(1, 150)))).toBe('1a03089601')
  expect(hex(new ProtobufWriter().int(1, -2))).toBe('08feffffffffffffffff01')
  expect(hex(new ProtobufWriter().float(2, 1))).toBe('150000803f')
  expect(hex(new ProtobufWriter().int(20, 7))).toBe('a00107') // a field number that needs two bytes
})

test('any 64-bit number is read back unchanged', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), number => {
      const bytes = new ProtobufWriter().int(1, number).finish().subarray(1)
      let value = 0n
      for (const [i, byte] of bytes.entries()) value |= BigInt(byte & 127) << BigInt(7 * i)
      expect(BigInt.asIntN(64, value)).toBe(number)
      expect(bytes.every((byte, i) => byte > 127 === i < bytes.length - 1)).toBe(true)
    })
  )
})

test('the length of a message counts everything in it', () => {
  const inner = new ProtobufWriter().bytes(1, new Uint8Array(200)).text(2, 'ä')
  const bytes = new ProtobufWriter().message(1, new ProtobufWriter().message(1, inner)).finish()
  const length = 200 + 3 + 4
  expect(Array.from(bytes.subarray(0, 6))).toEqual([10, ((length + 3) & 127) | 128, 1, 10, (length & 127) | 128, 1])
  expect(bytes.length).toBe(length + 6)
})
