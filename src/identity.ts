import { join } from 'node:path'
import {
  generateKeyPairFromSeed,
  privateKeyFromProtobuf,
  privateKeyToProtobuf,
  publicKeyFromRaw
} from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromPublicKey } from '@libp2p/peer-id'
import { SheafError } from './core/errors.js'
import type { FileSystem } from './core/file-system.js'
import { invariant } from './core/invariant.js'
import type { Random } from './core/random.js'

/** In the data folder: the private key as libp2p's protobuf. Anyone who has it can act as this node. */
const KEY_FILE = 'identity.key'
const SEED_BYTES = 32

/** The identity of a node; it is kept in the data folder. */
export interface NodeIdentity {
  /** The libp2p peer id, `12D3KooW…`. */
  readonly nodeId: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  /** For libp2p, which authenticates this node with it. */
  readonly privateKey: Ed25519PrivateKey
  /** @returns an Ed25519 signature, 64 bytes */
  sign(bytes: Uint8Array): Uint8Array
}

/**
 * Reads the node's key pair, or creates one at the first start.
 *
 * @throws `ERR_IDENTITY_CORRUPT`; the file system's own errors
 */
export async function loadIdentity(
  components: { readonly fileSystem: FileSystem; readonly random: Random },
  folder: string
): Promise<NodeIdentity> {
  const path = join(folder, KEY_FILE)
  const stored = await components.fileSystem.readFile(path)
  const key =
    stored === undefined
      ? await generateKeyPairFromSeed('Ed25519', components.random.bytes(SEED_BYTES))
      : parseKey(stored, path)
  if (stored === undefined) await components.fileSystem.writeFileAtomic(path, privateKeyToProtobuf(key))
  return {
    nodeId: peerIdFromPrivateKey(key).toString(),
    publicKey: key.publicKey.raw,
    privateKey: key,
    sign: bytes => synchronous(key.sign(bytes))
  }
}

/** @param publicKey - Ed25519, 32 bytes. @returns false also for an invalid key or signature */
export function verifySignature(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return synchronous(publicKeyFromRaw(publicKey).verify(bytes, signature))
  } catch {
    return false // not a point on the curve
  }
}

/** @param publicKey - Ed25519, 32 bytes. @returns the peer id of the node; empty for an invalid key */
export function nodeIdOf(publicKey: Uint8Array): string {
  try {
    return peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString()
  } catch {
    return ''
  }
}

function parseKey(stored: Uint8Array, path: string): Ed25519PrivateKey {
  let cause: unknown
  try {
    const key = privateKeyFromProtobuf(stored)
    if (key.type === 'Ed25519') return key
  } catch (err) {
    cause = err
  }
  const wayOut = 'restore it from a backup, or remove it so that this node gets a new identity'
  throw new SheafError('ERR_IDENTITY_CORRUPT', `${path} does not hold an Ed25519 key: ${wayOut}`, { cause })
}

/** libp2p's types allow promises because of browsers; in Node the results are synchronous. */
function synchronous<T>(answer: T | Promise<T>): T {
  invariant(!(answer instanceof Promise), 'Ed25519 is computed at once')
  return answer
}
