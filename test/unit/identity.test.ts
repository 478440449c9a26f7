import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { expect, test } from 'vitest'
import { loadIdentity, verifySignature } from '../../src/identity.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedDisk } from '../support/simulated-disk.js'
import { SimulatedFileSystem } from '../support/simulated-file-system.js'

function setUp() {
  const disk = new SimulatedDisk()
  disk.makeFolder('/data')
  disk.sync(disk.folder('/'))
  const random = new SeededRandom(1)
  return { disk, load: () => loadIdentity({ fileSystem: new SimulatedFileSystem(disk), random }, '/data') }
}

test('the first start creates a key; later starts have the same identity, even after a power failure', async () => {
  const { disk, load } = setUp()
  const first = await load()
  disk.crash()
  const second = await load()
  expect(second.nodeId).toBe(first.nodeId)
  expect(second.publicKey).toEqual(first.publicKey)
  expect((await setUp().load()).nodeId).toBe(first.nodeId) // same random numbers
})

test('the node id is the libp2p peer id of the public key', async () => {
  const { nodeId, publicKey } = await setUp().load()
  expect(publicKey).toHaveLength(32)
  const key = publicKeyFromRaw(publicKey)
  if (key.type !== 'Ed25519') throw new Error(`a key of type ${key.type}`)
  expect(peerIdFromPublicKey(key).toString()).toBe(nodeId)
})

test('signatures are verified with the public key, and no input makes the verification throw', async () => {
  const { sign, publicKey } = await setUp().load()
  const message = Buffer.from('a superblock')
  const signature = sign(message)
  expect(signature).toHaveLength(64)
  expect(verifySignature(publicKey, message, signature)).toBe(true)
  expect(verifySignature(publicKey, Buffer.from('A superblock'), signature)).toBe(false)
  expect(
    verifySignature(
      publicKey,
      message,
      signature.map(byte => byte ^ 1)
    )
  ).toBe(false)
  expect(
    verifySignature(
      publicKey.map(byte => byte ^ 1),
      message,
      signature
    )
  ).toBe(false)
  expect(verifySignature(new Uint8Array(32).fill(255), message, signature)).toBe(false)
  expect(verifySignature(new Uint8Array(3), message, signature)).toBe(false)
  expect(verifySignature(publicKey, message, new Uint8Array(3))).toBe(false)
})

test.each([
  ['cut short', (bytes: Uint8Array) => bytes.subarray(0, 20)],
  ['empty', () => new Uint8Array(0)],
  ['of another kind', () => Buffer.from('nonsense')]
])('a key file that is %s is refused with the way out, and not changed', async (_what, damage) => {
  const { disk, load } = setUp()
  await load()
  const fileSystem = new SimulatedFileSystem(disk)
  const damaged = damage((await fileSystem.readFile('/data/identity.key')) ?? new Uint8Array(0))
  await fileSystem.writeFileAtomic('/data/identity.key', damaged)
  await expect(load()).rejects.toMatchObject({
    code: 'ERR_IDENTITY_CORRUPT',
    message: expect.stringMatching(/restore|remove/)
  })
  expect(await fileSystem.readFile('/data/identity.key')).toEqual(new Uint8Array(damaged))
})
