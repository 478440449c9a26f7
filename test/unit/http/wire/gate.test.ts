import { describe, expect, test } from 'vitest'
import { turn } from '../../../../src/core/turn.js'
import { Gate } from '../../../../src/http/wire/gate.js'
import { deferred } from '../../../support/deferred.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const NEVER = new AbortController().signal

/** A gate for two, at which two more may wait for a second. */
function gateForTwo() {
  const clock = new SimulatedClock()
  const gate = new Gate({ clock }, { atOnce: 2, waitingMax: 2, waitMsMax: 1_000 })
  const begun: number[] = []
  const ends = Array.from({ length: 5 }, () => deferred<void>())
  const pass = (n: number, signal = NEVER): Promise<number> =>
    gate.pass(signal, async () => {
      begun.push(n)
      await ends[n]?.promise
      return n
    })
  return { clock, begun, ends, pass }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

describe('a gate', () => {
  test('lets a few in, and the next ones in order as these leave', async () => {
    const { begun, ends, pass } = gateForTwo()
    const passing = [0, 1, 2, 3].map(n => pass(n))
    await settle()
    expect(begun).toEqual([0, 1])
    ends[1]?.resolve()
    expect(await passing[1]).toBe(1)
    await settle()
    expect(begun).toEqual([0, 1, 2])
    ends[0]?.reject(new Error('failed'))
    await expect(passing[0]).rejects.toThrow('failed')
    await settle()
    expect(begun).toEqual([0, 1, 2, 3])
    for (const { resolve } of ends) resolve()
    expect(await Promise.all(passing.slice(2))).toEqual([2, 3])
  })

  test('gives everybody else a turn before each', async () => {
    const { begun, pass, ends } = gateForTwo()
    const passing = pass(0)
    await Promise.resolve().then(() => {})
    expect(begun).toEqual([])
    ends[0]?.resolve()
    await passing
  })

  test('refuses one when too many wait, and one that has waited for too long', async () => {
    const { clock, begun, ends, pass } = gateForTwo()
    const passing = [0, 1, 2, 3].map(n => pass(n))
    await expect(pass(4)).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    const refused = Promise.all(
      passing.slice(2).map(one => expect(one).rejects.toMatchObject({ code: 'ERR_OVERLOADED' }))
    )
    await clock.advance(1_000)
    await refused
    for (const { resolve } of ends) resolve()
    await Promise.all(passing.slice(0, 2))
    await settle()
    expect(begun).toEqual([0, 1])
  })

  test('does not work for a client that left while it waited', async () => {
    const { begun, ends, pass } = gateForTwo()
    const passing = [0, 1].map(n => pass(n))
    const client = new AbortController()
    const left = expect(pass(2, client.signal)).rejects.toThrow('left')
    const last = pass(3)
    client.abort(new Error('left'))
    await left
    for (const { resolve } of ends) resolve()
    await Promise.all([...passing, last])
    expect(begun).toEqual([0, 1, 3])
  })
})
