import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCode, hasCode } from '../../../../src/core/errors.js'
import { encodeFrame, type Frame, FrameParser } from '../../../../src/network/rpc/rpc-frames.js'
import { REQUEST_BYTES_MAX } from '../../../../src/network/transport.js'

const id = fc.integer({ min: 0, max: 0xffff_ffff })
const body = fc.uint8Array({ maxLength: 300 })
const method = fc.stringMatching(/^[a-z][a-z0-9.-]{0,63}$/)
const code = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]))
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constantFrom('request' as const, 'notify' as const), id, method, body }),
  fc.record({ type: fc.constant('answer' as const), id, body }),
  fc.record({ type: fc.constant('piece' as const), id, body: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  fc.record({ type: fc.constant('error' as const), id, code, message: fc.string({ maxLength: 60, unit: 'grapheme' }) }),
  fc.record({ type: fc.constantFrom('cancel' as const, 'end' as const), id })
)

const encode = (frames: readonly Frame[]): Buffer => Buffer.concat(frames.flatMap(encodeFrame))

/** The frame as values that `toEqual` compares: a Buffer and a Uint8Array of the same bytes are equal. */
const plain = (parsed: Frame): object => ('body' in parsed ? { ...parsed, body: [...parsed.body] } : parsed)

function parse(pieces: Iterable<Uint8Array>): Frame[] {
  const parser = new FrameParser()
  const frames: Frame[] = []
  for (const piece of pieces) frames.push(...parser.push(piece))
  return frames
}

function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const length = lengths.length === 0 ? bytes.length : (lengths[i % lengths.length] as number)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const malformed = (bytes: Uint8Array): boolean => {
  try {
    parse([bytes])
    return false
  } catch (err) {
    if (hasCode(err, 'ERR_PEER_PROTOCOL')) return true
    throw err
  }
}

/** A frame of the given type byte and rest. */
const raw = (type: number, rest: Uint8Array | string): Buffer => {
  const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, type, 0, 0, 0, 7]), Buffer.from(rest as Uint8Array)])
  bytes.writeUInt32BE(bytes.length - 4)
  return bytes
}

test('frames decode to what was encoded, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }),
      (frames, lengths) => {
        expect(parse(cut(encode(frames), lengths)).map(plain)).toEqual(frames.map(plain))
      }
    )
  )
})

test('an incomplete frame yields nothing', () => {
  fc.assert(
    fc.property(frame, fc.double({ min: 0, max: 1, noNaN: true }), (one, share) => {
      const bytes = encode([one])
      expect(parse([bytes.subarray(0, Math.floor(share * (bytes.length - 1)))])).toEqual([])
    })
  )
})

test('any bytes are parsed or refused with ERR_PEER_PROTOCOL; nothing else is thrown', () => {
  const damaged = fc
    .tuple(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.nat(), fc.integer({ min: 1, max: 255 }))
    .map(([frames, at, flip]) => {
      const bytes = encode(frames)
      const place = at % bytes.length
      bytes[place] = (bytes[place] as number) ^ flip
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), bytes => {
      malformed(bytes)
    }),
    { numRuns: 1_000 }
  )
})

test('each field is at the offset of the format table', () => {
  const request = encode([{ type: 'request', id: 0x01020304, method: 'a.b', body: Uint8Array.of(9, 8) }])
  expect([...request]).toEqual([0, 0, 0, 11, 1, 1, 2, 3, 4, 3, 0x61, 0x2e, 0x62, 9, 8])
  expect([...encode([{ type: 'answer', id: 1, body: Uint8Array.of(5) }])]).toEqual([0, 0, 0, 6, 2, 0, 0, 0, 1, 5])
  expect([...encode([{ type: 'cancel', id: 1 }])]).toEqual([0, 0, 0, 5, 5, 0, 0, 0, 1])
})

test.each([
  ['no type', Buffer.from([0, 0, 0, 4, 2, 0, 0, 0])],
  ['an unknown type', raw(8, '')],
  ['type 0', raw(0, '')],
  ['a request without a method', raw(1, '')],
  ['an empty method', raw(1, Uint8Array.of(0, 1))],
  ['a method that is longer than the frame', raw(1, Uint8Array.of(3, 0x61, 0x62))],
  ['a method of 65 bytes', raw(1, `\x41${'a'.repeat(65)}`)],
  ['a method with odd characters', raw(1, '\x03a\nb')],
  ['an error without a code', raw(3, '')],
  ['an invalid code', raw(3, '\x05ENOENT')],
  ['a message of 1025 bytes', raw(3, `\x0cERR_INTERNAL${'m'.repeat(1_025)}`)],
  ['a cancel with a body', raw(5, 'x')],
  ['an empty piece', raw(6, '')],
  ['an end with a body', raw(7, 'x')]
])('%s is malformed', (_what, bytes) => {
  expect(malformed(bytes)).toBe(true)
})

test('a length above the bound is refused before the bytes come', () => {
  const largest = raw(2, new Uint8Array(REQUEST_BYTES_MAX))
  expect(parse([largest])).toHaveLength(1)
  expect(malformed(raw(2, new Uint8Array(REQUEST_BYTES_MAX + 1)))).toBe(true)
  expect(malformed(Buffer.from([0x7f, 0xff, 0xff, 0xff]))).toBe(true)
})

test('a code that this version does not know becomes ERR_INTERNAL, with the code in the message', () => {
  const [error] = parse([raw(3, '\x0aERR_FUTUREwhat it is')])
  expect(error).toEqual({ type: 'error', id: 7, code: 'ERR_INTERNAL', message: 'ERR_FUTURE: what it is' })
})

test('a message that is too long is truncated', () => {
  const [error] = parse(encodeFrame({ type: 'error', id: 1, code: 'ERR_INTERNAL', message: 'ä'.repeat(2_000) }))
  expect(error).toMatchObject({ message: 'ä'.repeat(512) })
})

test('bulk pieces that are yielded in parts have the same bytes, and other frames come whole', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 5 }),
      (frames, lengths) => {
        const parser = new FrameParser({ cutPieces: true })
        const parsed: Frame[] = []
        let partsLeft = 0
        for (const bytes of cut(encode(frames), lengths)) {
          for (const part of parser.push(bytes)) {
            const last = parsed.at(-1)
            if (part.type !== 'piece') parsed.push(part)
            else if (partsLeft > 0 && last?.type === 'piece') {
              partsLeft -= part.body.length
              parsed[parsed.length - 1] = { ...last, body: Buffer.concat([last.body, part.body]) }
            } else {
              const whole = frames[parsed.length]
              partsLeft = (whole?.type === 'piece' ? whole.body.length : 0) - part.body.length
              parsed.push(part)
            }
          }
        }
        expect(parsed.map(plain)).toEqual(frames.map(plain))
      }
    )
  )
})
