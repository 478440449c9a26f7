import { expect, test } from 'vitest'
import { LoopWatch } from '../../../../src/core/loop-watch.js'
import { SilenceWatch, STALL_MS } from '../../../../src/network/libp2p/silence-watch.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

class FakeConnection extends EventTarget {
  abortReason: Error | undefined

  receive(): void {
    this.dispatchEvent(new Event('message'))
  }

  abort(reason: Error): void {
    this.abortReason = reason
    this.dispatchEvent(new Event('close'))
  }
}

function setUp() {
  const clock = new SimulatedClock()
  const connection = new FakeConnection()
  new SilenceWatch({ loop: new LoopWatch({ clock }, { lateMs: STALL_MS }) }).watch(connection as never)
  return { clock, connection }
}

test('a connection that receives something every second or two stays open', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 100; i++) {
    await clock.advance(i % 2 === 0 ? 900 : 1_900)
    connection.receive()
  }
  expect(connection.abortReason).toBeUndefined()
})

test.each([1, 500, 999])(
  'silence ends it within twelve seconds, when the last byte came %i ms after a check',
  async afterMs => {
    const { clock, connection } = setUp()
    await clock.advance(afterMs)
    connection.receive()
    await clock.advance(9_900)
    expect(connection.abortReason).toBeUndefined()
    await clock.advance(2_000)
    expect(connection.abortReason).toBeInstanceOf(Error)
    expect(clock.pending).toBe(0)
  }
)

test('a pause of this process counts as one check, however long it was', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 10; i++) {
    await clock.advance(1_000) // after a pause the timer fires once, before the bytes that arrived are read
    await clock.advance(1_000)
    connection.receive()
  }
  expect(connection.abortReason).toBeUndefined()
})

test('while this process was stalled in the last half minute, silence may last for a minute', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 2; i++) {
    await clock.leap(1_300)
    await clock.advance(25_000)
  }
  await clock.leap(1_300)
  expect(connection.abortReason).toBeUndefined()
  connection.receive()
  await clock.advance(29_000)
  expect(connection.abortReason).toBeUndefined()
  await clock.advance(2_000) // the last stall is longer ago
  expect(connection.abortReason).toBeInstanceOf(Error)
})

test('a minute of silence ends it, however often this process was stalled', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 4; i++) {
    await clock.leap(1_300)
    await clock.advance(20_000)
  }
  expect(connection.abortReason).toBeInstanceOf(Error)
})

test('a connection that closes is no longer watched', () => {
  const { clock, connection } = setUp()
  connection.dispatchEvent(new Event('close'))
  expect(clock.pending).toBe(0)
})
