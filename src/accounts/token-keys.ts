import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import type { FileSystem } from '../core/file-system.js'
import type { Logger } from '../core/log.js'
import type { Random } from '../core/random.js'

/** In the data folder of a node without a cluster key: 64 hexadecimal digits. */
export const TOKEN_KEY_FILE = 'token.key'

const SECRET_BYTES = 32
const TAG_CHARACTERS = 16
/** RFC 8410: what stands before the seed of an Ed25519 key in PKCS #8. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** An Ed25519 key pair for tokens. */
export interface TokenKey {
  /** Names it: the first 16 hexadecimal digits of the public key's SHA-256. */
  readonly tag: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/**
 * Every node of a cluster has the same key, so each one verifies what any other one has signed, also while they do not
 * reach each other.
 *
 * @param secret - of the cluster: what its key was stretched to, since the public key lets anybody try secrets
 */
export function tokenKeyOf(secret: Uint8Array): TokenKey {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'sheaf token 1', SECRET_BYTES))
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-SECRET_BYTES)
  return { tag: createHash('sha256').update(raw).digest('hex').slice(0, TAG_CHARACTERS), privateKey, publicKey }
}

/**
 * The secret of a node that has no cluster key, and so is alone. It is made when it is not there.
 *
 * @throws what the file system throws
 */
export async function loneTokenSecret(
  components: { readonly fileSystem: FileSystem; readonly random: Pick<Random, 'bytes'>; readonly log: Logger },
  folder: string
): Promise<Uint8Array> {
  const { fileSystem, random, log } = components
  const path = join(folder, TOKEN_KEY_FILE)
  const text = await fileSystem.readFile(path)
  const known = /^([0-9a-f]{64})\s*$/.exec(Buffer.from(text ?? []).toString())?.[1]
  if (known !== undefined) return Buffer.from(known, 'hex')
  if (text !== undefined) log.warn({ path }, 'the key that signs sessions is damaged, so a new one is made')
  const secret = random.bytes(SECRET_BYTES)
  await fileSystem.writeFileAtomic(path, Buffer.from(`${Buffer.from(secret).toString('hex')}\n`))
  return secret
}
