import { expect, test } from 'vitest'
import { SilenceWatch } from '../../../../src/network/libp2p/silence-watch.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

class FakeConnection extends EventTarget {
  aborted: Error | undefined

  hear(): void {
    this.dispatchEvent(new Event('message'))
  }

  abort(reason: Error): void {
    this.aborted = reason
    this.dispatchEvent(new Event('close'))
  }
}

function setUp() {
  const clock = new SimulatedClock()
  const connection = new FakeConnection()
  new SilenceWatch({ clock }).watch(connection as never)
  return { clock, connection }
}

test('a connection on which something is heard each second or two lives', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 100; i++) {
    await clock.advance(i % 2 === 0 ? 900 : 1_900)
    connection.hear()
  }
  expect(connection.aborted).toBeUndefined()
})

test.each([1, 500, 999])(
  'silence ends it within four seconds, the last byte having come %i ms after a look',
  async afterMs => {
    const { clock, connection } = setUp()
    await clock.advance(afterMs)
    connection.hear()
    await clock.advance(2_000)
    expect(connection.aborted).toBeUndefined()
    await clock.advance(2_000)
    expect(connection.aborted).toBeInstanceOf(Error)
    expect(clock.pending).toBe(0)
  }
)

test('a pause of this process counts as one look, however long it was', async () => {
  const { clock, connection } = setUp()
  for (let i = 0; i < 10; i++) {
    await clock.advance(1_000) // the timer of a process that wakes up fires once, before what has arrived is read
    await clock.advance(1_000)
    connection.hear()
  }
  expect(connection.aborted).toBeUndefined()
})

test('a connection that closes is no longer watched', () => {
  const { clock, connection } = setUp()
  connection.dispatchEvent(new Event('close'))
  expect(clock.pending).toBe(0)
})
