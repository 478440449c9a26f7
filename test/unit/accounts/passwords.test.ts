import { describe, expect, it } from 'vitest'
import { checkPassword } from '../../../src/accounts/account-rules.js'
import { type Hasher, Passwords } from '../../../src/accounts/passwords.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock, settle } from '../../support/simulated-clock.js'
import { ADDRESS, LITTLE } from './accounts-fixture.js'

const clock = new SimulatedClock()
const random = new SeededRandom(1)
const passwords = new Passwords({ clock, random }, { cost: LITTLE })

/** Hashes when it is told to. */
class HeldHasher implements Hasher {
  readonly running: (() => void)[] = []

  hash(password: string): Promise<string> {
    return new Promise(resolve => this.running.push(() => resolve(`hash of ${password}`)))
  }

  verify(): Promise<boolean> {
    return Promise.resolve(false)
  }
}

describe('passwords', () => {
  it('are hashed with argon2id as asked, with a salt of their own, and verified', async () => {
    const [phc, again] = await Promise.all([
      passwords.hash('one two three', ADDRESS),
      passwords.hash('one two three', ADDRESS)
    ])
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(again).not.toBe(phc)
    expect(await passwords.verify(phc, 'one two three', ADDRESS)).toBe(true)
    expect(await passwords.verify(phc, 'one two four', ADDRESS)).toBe(false)
  })

  it('are right however a keyboard composes them, and have 8 to 256 characters', async () => {
    const phc = await passwords.hash(checkPassword('Gru\u0308ße aus O'), ADDRESS)
    expect(await passwords.verify(phc, 'Grüße aus O', ADDRESS)).toBe(true)
    for (const bad of ['', '1234567', 'x'.repeat(257), '😀'.repeat(7)])
      expect(() => checkPassword(bad)).toThrow(expect.objectContaining({ code: 'ERR_BAD_PARAMETER' }))
    expect(checkPassword('😀'.repeat(256))).toHaveLength(512)
  })

  it('are never right where there is none, or a hash that nobody here would compute', async () => {
    const phc = await passwords.hash('one two three', ADDRESS)
    const foreign = [
      undefined,
      '',
      'x',
      phc.replace('m=8', 'm=4194304'),
      phc.replace('t=1', 't=4000000000'),
      phc.replace('argon2id', 'argon2d'),
      `${phc}$`,
      phc.slice(0, 40)
    ]
    for (const one of foreign) expect(await passwords.verify(one, 'one two three', ADDRESS)).toBe(false)
    expect(await passwords.verify(phc, 'x'.repeat(5_000_000), ADDRESS)).toBe(false)
  })

  it('are outgrown when hashes may take more by now', async () => {
    const phc = await passwords.hash('one two three', ADDRESS)
    expect(passwords.isOutgrown(phc)).toBe(false)
    const dearer = new Passwords({ clock, random }, { cost: { ...LITTLE, memoryKiB: 16 } })
    expect(dearer.isOutgrown(phc)).toBe(true)
    expect(await dearer.verify(phc, 'one two three', ADDRESS)).toBe(true)
  })

  it('are hashed one at a time, two wait for each address and 16 in all, 5 s at most', async () => {
    const hasher = new HeldHasher()
    const held = new Passwords({ clock, random, hasher }, { cost: LITTLE })
    const done: string[] = []
    const ask = (address: string): Promise<void> =>
      held.hash(address, address).then(
        phc => void done.push(phc),
        err => void done.push(err.code)
      )
    const asked = ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.1'].map(ask)
    await settle()
    expect(hasher.running).toHaveLength(1)
    expect(done).toEqual(['ERR_OVERLOADED'])
    asked.push(...Array.from({ length: 15 }, (_, i) => ask(`10.0.1.${i}`)))
    await settle()
    expect(done).toEqual(['ERR_OVERLOADED', 'ERR_OVERLOADED'])
    hasher.running[0]?.()
    await settle()
    expect(hasher.running).toHaveLength(2)
    await clock.advance(5_000)
    expect(done.slice(2)).toEqual(['hash of 10.0.0.1', ...Array.from({ length: 15 }, () => 'ERR_OVERLOADED')])
    hasher.running[1]?.()
    await Promise.all(asked)
    expect(clock.pending).toBe(0)
  })
})
