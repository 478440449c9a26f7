import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NodeId } from '../../../../src/domain/ids.js'
import { decodeGossip, encodeGossip, gossipName } from '../../../../src/network/libp2p/gossip-message.js'
import { PUBLISH_BYTES_MAX } from '../../../../src/network/transport.js'

const nodeId = fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{1,64}$/).map(text => text as NodeId)
const tag = fc.uint8Array({ minLength: 8, maxLength: 8 })
const number = fc.nat()
const body = fc.uint8Array({ maxLength: 200 })

test('a message decodes to what was encoded', () => {
  fc.assert(
    fc.property(nodeId, tag, number, body, (from, processTag, count, sent) => {
      const message = decodeGossip(encodeGossip(from, processTag, count, sent))
      expect(message?.from).toBe(from)
      expect([...(message?.body ?? [])]).toEqual([...sent])
    })
  )
})

test('any bytes decode or are rejected without an error, and have a name', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
      decodeGossip(bytes)
      expect(gossipName(bytes).length).toBeLessThanOrEqual(bytes.length)
    })
  )
})

test('messages differ in their names exactly when publisher, process or number differ', () => {
  const of = (from: string, process: number, count: number, sent = 'x'): string =>
    Buffer.from(
      gossipName(encodeGossip(from as NodeId, new Uint8Array(8).fill(process), count, Buffer.from(sent)))
    ).toString('hex')
  const names = [of('a', 1, 1), of('b', 1, 1), of('a', 2, 1), of('a', 1, 2), of('ab', 1, 1)]
  expect(new Set(names).size).toBe(names.length)
  expect(of('a', 1, 1, 'one body')).toBe(of('a', 1, 1, 'another body'))
  expect(of('a', 1, 2 ** 32 + 1)).toBe(of('a', 1, 1))
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['another format', Buffer.concat([Buffer.of(2, 1), Buffer.alloc(20, 'a')])],
  ['no publisher', Buffer.concat([Buffer.of(1, 0), Buffer.alloc(20, 'a')])],
  ['a publisher that is too long', Buffer.concat([Buffer.of(1, 65), Buffer.alloc(100, 'a')])],
  ['a publisher with odd characters', Buffer.concat([Buffer.of(1, 1), Buffer.alloc(20, '\n')])],
  ['a truncated head', Buffer.concat([Buffer.of(1, 9), Buffer.alloc(20, 'a')])]
])('%s is no message', (_what, bytes) => {
  expect(decodeGossip(bytes)).toBeUndefined()
})

test('a body above the bound is no message', () => {
  const of = (byteCount: number): Uint8Array =>
    encodeGossip('a' as NodeId, new Uint8Array(8), 1, new Uint8Array(byteCount))
  expect(decodeGossip(of(PUBLISH_BYTES_MAX))?.body).toHaveLength(PUBLISH_BYTES_MAX)
  expect(decodeGossip(of(PUBLISH_BYTES_MAX + 1))).toBeUndefined()
})
