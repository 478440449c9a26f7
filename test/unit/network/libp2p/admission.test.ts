import { expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Admission, admit, deriveSecrets } from '../../../../src/network/libp2p/admission.js'
import { type NodeVersion, ownVersion } from '../../../../src/network/node-version.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { memoryChannels } from '../rpc/memory-channel.js'

const key = (text: string): Uint8Array => Buffer.from(text)
const alice = Buffer.from('alice')
const bob = Buffer.from('bob')

const version: NodeVersion = ownVersion('1.2.3', { min: 2, max: 4 })
/** Of `version`, encoded. */
const VERSION_BYTES = 7 + 5 + 6

interface Side {
  readonly id: Uint8Array
  readonly secrets: readonly Uint8Array[]
  /** Default: `version`. */
  readonly version?: NodeVersion
}

interface Wire {
  readonly admission: Pick<Admission, 'read' | 'write'>
  /** Bytes that this side has sent, one entry for each write. */
  readonly sent: Buffer[]
}

function wires(): [Wire, Wire] {
  const random = new SeededRandom(3)
  const wireOf = (channel: ReturnType<typeof memoryChannels>[0]): Wire => {
    const incoming = channel.read()
    const sent: Buffer[] = []
    let rest = Buffer.alloc(0)
    return {
      sent,
      admission: {
        read: async byteCount => {
          while (rest.length < byteCount) {
            const next = await incoming.next()
            if (next.done === true) throw new Error('the connection has ended')
            rest = Buffer.concat([rest, next.value])
          }
          const taken = rest.subarray(0, byteCount)
          rest = rest.subarray(byteCount)
          return taken
        },
        write: async bytes => {
          sent.push(Buffer.from(bytes))
          channel.send(bytes)
        }
      }
    }
  }
  const [a, b] = memoryChannels(random)
  return [wireOf(a), wireOf(b)]
}

/** @returns each side's outcome, and what it sent */
async function handshake(initiator: Side, responder: Side, seed = 1) {
  const [here, there] = wires()
  const random = new SeededRandom(seed)
  const common = { random }
  const results = await Promise.allSettled([
    admit({
      ...common,
      ...here.admission,
      initiator: true,
      self: initiator.id,
      peer: responder.id,
      secrets: initiator.secrets,
      version: initiator.version ?? version
    }),
    admit({
      ...common,
      ...there.admission,
      initiator: false,
      self: responder.id,
      peer: initiator.id,
      secrets: responder.secrets,
      version: responder.version ?? version
    })
  ])
  const outcome = (result: PromiseSettledResult<unknown>): unknown => {
    if (result.status === 'fulfilled') return 'admitted'
    return result.reason instanceof SheafError ? result.reason.code : result.reason
  }
  const reasons = results.map(result => (result.status === 'rejected' ? (result.reason as Error).message : undefined))
  return { outcomes: results.map(outcome), reasons, sent: [here.sent, there.sent] as const }
}

const secretsOf = async (name: string, ...keys: string[]): Promise<readonly Uint8Array[]> =>
  (await deriveSecrets(name, keys.map(key))).secrets

const refused = ['ERR_PEER_REFUSED', 'ERR_PEER_REFUSED']

test.each([
  ['the same key', ['a', 'k'], ['a', 'k'], true],
  ['no key', ['a'], ['a'], true],
  ['another key', ['a', 'k'], ['a', 'l'], false],
  ['a key and none', ['a', 'k'], ['a'], false],
  ['another name', ['a', 'k'], ['b', 'k'], false],
  ['another name without a key', ['a'], ['b'], false],
  ['the old key and both', ['a', 'old'], ['a', 'new', 'old'], true],
  ['the new key and both', ['a', 'new'], ['a', 'new', 'old'], true],
  ['both and both, the other way round', ['a', 'new', 'old'], ['a', 'old', 'new'], true],
  ['both and a third', ['a', 'new', 'old'], ['a', 'third'], false],
  ['the old key and the new one', ['a', 'old'], ['a', 'new'], false],
  ['keys with and without a line break', ['a', 'k'], ['a', 'k\r\n'], true]
] as const)(
  '%s: both sides come to the same result, whichever is the initiator',
  async (_what, [nameA, ...keysA], [nameB, ...keysB], ok) => {
    const a: Side = { id: alice, secrets: await secretsOf(nameA, ...keysA) }
    const b: Side = { id: bob, secrets: await secretsOf(nameB, ...keysB) }
    for (const [initiator, responder] of [
      [a, b],
      [b, a]
    ] as const) {
      const { outcomes } = await handshake(initiator, responder)
      expect(outcomes).toEqual(ok ? ['admitted', 'admitted'] : refused)
    }
  }
)

test('an initiator without the key gets a nonce and a refusal, but no proof', async () => {
  const { sent } = await handshake(
    { id: alice, secrets: await secretsOf('a', 'wrong') },
    { id: bob, secrets: await secretsOf('a', 'right') }
  )
  expect(sent[1].map(({ length }) => length)).toEqual([32, 1])
})

const newer: NodeVersion = ownVersion('9.0.0', { min: 5, max: 6 })

test.each([
  ['overlap', { min: 4, max: 9 }],
  ['are the same', { min: 2, max: 4 }],
  ['contain one another', { min: 1, max: 9 }]
])('nodes whose formats %s admit each other', async (_what, formats) => {
  const secrets = await secretsOf('a', 'k')
  const [a, b] = [
    { id: alice, secrets },
    { id: bob, secrets, version: ownVersion('9.0.0', formats) }
  ]
  expect((await handshake(a, b)).outcomes).toEqual(['admitted', 'admitted'])
  expect((await handshake(b, a)).outcomes).toEqual(['admitted', 'admitted'])
})

test('nodes without a common format refuse each other, and both know which of them to upgrade', async () => {
  const secrets = await secretsOf('a', 'k')
  const [a, b] = [
    { id: alice, secrets },
    { id: bob, secrets, version: newer }
  ]
  const atOlder =
    'this node refused the other one: no record format in common (this node, Sheaf 1.2.3, reads formats 2 to 4; ' +
    'the other one, Sheaf 9.0.0, reads formats 5 to 6): upgrade this node, see UPGRADING.md'
  const atNewer =
    'this node refused the other one: no record format in common (this node, Sheaf 9.0.0, reads formats 5 to 6; ' +
    'the other one, Sheaf 1.2.3, reads formats 2 to 4): upgrade the other node, see UPGRADING.md'
  expect(await handshake(a, b)).toMatchObject({ outcomes: refused, reasons: [atOlder, atNewer] })
  expect(await handshake(b, a)).toMatchObject({ outcomes: refused, reasons: [atNewer, atOlder] })
})

test('where keys and formats differ, the reason is the key', async () => {
  const { reasons } = await handshake(
    { id: alice, secrets: await secretsOf('a', 'wrong') },
    { id: bob, secrets: await secretsOf('a', 'right'), version: newer }
  )
  for (const reason of reasons) expect(reason).toContain('cluster names or keys differ')
})

test('a version that was changed on the way is refused like a wrong proof', async () => {
  const secrets = await secretsOf('a', 'k')
  const outcome = await attack({ initiator: false, self: bob, peer: alice, secrets }, async ({ admission: toBob }) => {
    await attack({ initiator: true, self: alice, peer: bob, secrets }, async ({ admission: toAlice }) => {
      await toBob.write(await toAlice.read(32))
      await toAlice.write(await toBob.read(32))
      const statement = Buffer.from(await toAlice.read(64 + VERSION_BYTES))
      statement.writeUInt16BE(3, 64 + 2) // the least format
      await toBob.write(statement)
      await toBob.read(1)
      await toAlice.write(Uint8Array.of(0))
    })
  })
  expect(outcome).toBe('ERR_PEER_REFUSED')
})

test('the messages do not reveal how many keys a node has', async () => {
  const one = await secretsOf('a', 'k')
  const two = await secretsOf('a', 'k', 'old')
  const lengths = async (secrets: readonly Uint8Array[]): Promise<unknown> =>
    (await handshake({ id: alice, secrets }, { id: bob, secrets: one })).sent[0].map(({ length }) => length)
  expect(await lengths(one)).toEqual(await lengths(two))
})

/** Plays an attacker's messages against a node that holds the key. */
async function attack(
  victim: Pick<Admission, 'initiator' | 'self' | 'peer' | 'secrets'>,
  play: (wire: Wire) => Promise<void>
): Promise<unknown> {
  const [mine, theirs] = wires()
  const admitted = admit({ version, ...theirs.admission, ...victim, random: new SeededRandom(99) })
  const outcome = admitted.then(
    () => 'admitted',
    (err: unknown) => (err instanceof SheafError ? err.code : err)
  )
  await play(mine)
  return await outcome
}

test('proofs are invalid when replayed, relayed to another node, or reflected', async () => {
  const secrets = await secretsOf('a', 'k')
  const recorded = await handshake({ id: alice, secrets }, { id: bob, secrets })
  expect(recorded.outcomes).toEqual(['admitted', 'admitted'])
  const [nonce, statement] = recorded.sent[0] as [Buffer, Buffer]

  const replayed = await attack({ initiator: false, self: bob, peer: alice, secrets }, async ({ admission }) => {
    await admission.write(nonce)
    await admission.read(32)
    await admission.write(statement)
  })
  expect(replayed).toBe('ERR_PEER_REFUSED')

  // Alice dials Mallory, who relays Alice's proofs to Bob.
  const relayed = await attack(
    { initiator: false, self: bob, peer: Buffer.from('mallory'), secrets },
    async ({ admission: toBob }) => {
      const outcome = await attack(
        { initiator: true, self: alice, peer: Buffer.from('mallory'), secrets },
        async ({ admission: toAlice }) => {
          await toBob.write(await toAlice.read(32))
          await toAlice.write(await toBob.read(32))
          await toBob.write(await toAlice.read(64 + VERSION_BYTES))
          await toAlice.write(await toBob.read(1))
        }
      )
      expect(outcome).toBe('ERR_PEER_REFUSED')
    }
  )
  expect(relayed).toBe('ERR_PEER_REFUSED')

  // Alice dials an attacker who sends her own nonce and proofs back to her.
  const reflected = await attack({ initiator: true, self: alice, peer: alice, secrets }, async ({ admission }) => {
    await admission.write(await admission.read(32))
    const own = await admission.read(64 + VERSION_BYTES)
    await admission.write(Buffer.concat([Uint8Array.of(1), own]))
  })
  expect(reflected).toBe('ERR_PEER_REFUSED')
})

test('a connection that ends during the handshake is no refusal', async () => {
  const secrets = await secretsOf('a', 'k')
  const admission: Admission = {
    initiator: true,
    self: alice,
    peer: bob,
    secrets,
    version,
    random: new SeededRandom(1),
    read: () => Promise.reject(new Error('gone')),
    write: async () => {}
  }
  await expect(admit(admission)).rejects.toThrow('gone')
})

test('tags tell clusters apart without revealing the key', async () => {
  const tags = async (name: string, ...keys: string[]): Promise<readonly string[]> =>
    (await deriveSecrets(name, keys.map(key))).tags
  const all = [await tags('a'), await tags('b'), await tags('a', 'k'), await tags('a', 'l')].flat()
  expect(new Set(all).size).toBe(4)
  for (const tag of all) expect(tag).toMatch(/^[0-9a-f]{8}$/)
  const [newest, older] = await tags('a', 'new', 'k')
  expect([newest === older, older]).toEqual([false, all[2]])
})
