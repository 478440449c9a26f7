import { expect, test } from 'vitest'
import type { NodeId } from '../../../../src/domain/ids.js'
import { Vouchers } from '../../../../src/network/membership/vouchers.js'

const [a, b, c] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId]

test('the latest word comes first, and one that is too old is none', () => {
  const vouchers = new Vouchers({ freshMs: 2, validMs: 5 })
  vouchers.note(a, [c], 10)
  vouchers.note(b, [c], 11)
  expect(vouchers.of(c, 11)).toEqual([b, a])
  vouchers.note(a, [c], 12)
  expect(vouchers.of(c, 16)).toEqual([a, b])
  expect(vouchers.of(c, 17)).toEqual([a])
  expect(vouchers.of(b, 12)).toEqual([])
})

test('it takes a fresh word to come into reach, and an old one to stay there', () => {
  const vouchers = new Vouchers({ freshMs: 2, validMs: 5 })
  vouchers.note(a, [c], 10)
  expect(vouchers.judge([c], 13)).toEqual([])
  vouchers.note(a, [c], 14)
  expect(vouchers.judge([c], 16)).toEqual([c])
  vouchers.note(a, [], 17) // it does not hear c any more
  expect(vouchers.judge([c], 19)).toEqual([])
  expect([...vouchers.via]).toEqual([c])
  expect(vouchers.judge([c], 20)).toEqual([c])
  expect([...vouchers.via]).toEqual([])
})

test('whom this node hears itself is not reached through others', () => {
  const vouchers = new Vouchers({ freshMs: 2, validMs: 5 })
  vouchers.note(a, [b, c], 10)
  expect(vouchers.judge([b, c], 10)).toEqual([b, c])
  expect(vouchers.judge([c], 10)).toEqual([b])
  expect([...vouchers.via]).toEqual([c])
})

test('a peer that names ever more members fills no memory, and its good words count', () => {
  const vouchers = new Vouchers({ freshMs: 2, validMs: 5 })
  vouchers.note(a, [c], 10)
  for (let i = 0; i < 1_000; i++) {
    const others = Array.from({ length: 256 }, (_, n) => `made-up-${i}-${n}` as NodeId)
    vouchers.note(a, [c, ...others], 11)
  }
  expect(vouchers.judge([c, 'made-up-999-255' as NodeId], 11)).toEqual([c])
  vouchers.note(a, [b], 17)
  expect(vouchers.judge([b], 17)).toEqual([c, b])
})
