/*
 * Admission: a handshake inside the encrypted connection, before any other protocol may use it.
 *
 *   step  from       bytes  field
 *   1     both       32     nonce, fresh and random
 *   2     initiator  64     two proofs
 *   2     initiator  7–258  its version (`../node-version.ts`)
 *   3     responder  1      1: proven, the rest follows; 0: refused, nothing follows
 *   3     responder  64     two proofs
 *   3     responder  7–258  its version
 *
 * A proof is HMAC-SHA-256 under a cluster secret over: CONTEXT, "i" or "r" for the side that proves, then both peer ids
 * (each after one byte with its length, the initiator's first), both nonces (the initiator's first) and the version that
 * the side tells. The peer ids are those that the encryption has authenticated, so a proof is invalid on another
 * connection, from the other side, and a second time. A node with one secret fills the second proof with random bytes. A
 * side accepts any proof under any of its secrets: during a key change, nodes with the old key, with both and with the new
 * key can connect.
 *
 * A cluster secret is scrypt of the cluster key, salted with the cluster name; without a key, of the empty string, so that
 * the same handshake keeps clusters of different names apart. The initiator proves first: a node without the key learns
 * nothing by dialing, not even the version. A node that is dialed learns the initiator's version, and can try to guess a
 * weak key from the proofs; scrypt makes each guess cost.
 *
 * Once both have proven, both know both versions, and each refuses the other when they cannot be in one cluster.
 */
import { createHmac, scrypt, timingSafeEqual } from 'node:crypto'
import { invariant } from '../../core/invariant.js'
import type { Random } from '../../core/random.js'
import { decodeVersion, encodeVersion, type NodeVersion, obstacleBetween, readVersion } from '../node-version.js'
import { WIRE_VERSION } from '../wire-version.js'
import { refusedByPeer, refusedHere } from './refusal.js'

const NONCE_BYTES = 32
const PROOF_BYTES = 32
const PROOFS = 2
const CONTEXT = `sheaf admission ${WIRE_VERSION}`
/** 16 MiB and some 40 ms for each guess, and for each start of a node. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1 } as const

const STRANGER = 'cluster names or keys differ; compare --cluster-name and --cluster-key'

/** What only the nodes of one cluster know. */
export interface ClusterSecrets {
  /** Newest first, 32 bytes each, one or two. */
  readonly secrets: readonly Uint8Array[]
  /** One per secret, newest first, 8 hex digits each: tell clusters apart in public without revealing name or key. */
  readonly tags: readonly string[]
}

/**
 * @param keys - newest first, at most two; none: every node that knows the name may join. Trailing line breaks are ignored
 */
export async function deriveSecrets(name: string, keys: readonly Uint8Array[]): Promise<ClusterSecrets> {
  invariant(keys.length <= PROOFS, 'a cluster key and at most one older one')
  const effectiveKeys = keys.length === 0 ? [new Uint8Array(0)] : keys
  const secrets = await Promise.all(effectiveKeys.map(key => stretch(withoutLineBreak(key), `sheaf cluster ${name}`)))
  const tags = secrets.map(secret => createHmac('sha256', secret).update('sheaf tag 1').digest('hex').slice(0, 8))
  return { secrets, tags }
}

export interface Admission {
  /** Whether this side opened the connection. */
  readonly initiator: boolean
  /** Peer ids as bytes, authenticated. */
  readonly self: Uint8Array
  readonly peer: Uint8Array
  readonly secrets: readonly Uint8Array[]
  /** Of this node. */
  readonly version: NodeVersion
  readonly random: Random
  /** Called with what the other side tells of its version, once it is proven and before it may be refused. Default: nothing. */
  readonly onTold?: (version: NodeVersion) => void
  /** @returns exactly `byteCount` bytes; rejects when the connection ends first or the handshake takes too long */
  readonly read: (byteCount: number) => Promise<Uint8Array>
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/**
 * Proves to the other side that this node belongs to the cluster, checks the other side's proof, and compares versions.
 *
 * @returns what the other side told of its version
 * @throws `ERR_PEER_REFUSED` when one of the two proofs fails, or when the two cannot be in one cluster;
 *   `ERR_PEER_PROTOCOL` for a malformed version; what `read` and `write` throw
 */
export async function admit(admission: Admission): Promise<NodeVersion> {
  const { initiator, version, read, write, random, onTold = () => {} } = admission
  const own = random.bytes(NONCE_BYTES)
  await write(own)
  const other = await read(NONCE_BYTES)
  const nonces = initiator ? [own, other] : [other, own]
  if (initiator) {
    await write(statement(admission, nonces))
    const [verdict] = await read(1)
    if (verdict !== 1) throw refusedByPeer(STRANGER)
  }
  const told = await provenVersion(admission, nonces)
  if (told === undefined) {
    if (!initiator) await write(Uint8Array.of(0))
    throw refusedHere(STRANGER)
  }
  if (!initiator) await write(Buffer.concat([Uint8Array.of(1), statement(admission, nonces)]))
  const theirs = decodeVersion(told)
  onTold(theirs)
  const obstacle = obstacleBetween(version, theirs)
  if (obstacle !== undefined) throw refusedHere(obstacle)
  return theirs
}

/** @returns the proofs and the version of this side */
function statement(admission: Admission, nonces: readonly Uint8Array[]): Uint8Array {
  const { initiator, secrets, version, random } = admission
  const told = encodeVersion(version)
  const proofs = secrets.map(secret => prove(admission, secret, initiator ? 'i' : 'r', nonces, told))
  while (proofs.length < PROOFS) proofs.push(random.bytes(PROOF_BYTES))
  return Buffer.concat([...proofs, told])
}

/** Reads a {@link statement}. @returns the version that the other side tells; undefined unless it has proven itself */
async function provenVersion(admission: Admission, nonces: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
  const { initiator, secrets, read } = admission
  const proofs = await read(PROOFS * PROOF_BYTES)
  const told = await readVersion(read)
  const isProven = secrets.some(secret => {
    const wanted = prove(admission, secret, initiator ? 'r' : 'i', nonces, told)
    return [0, PROOF_BYTES].some(at => timingSafeEqual(proofs.subarray(at, at + PROOF_BYTES), wanted))
  })
  return isProven ? told : undefined
}

/** @param told - the version that the proving side tells, encoded */
function prove(
  admission: Admission,
  secret: Uint8Array,
  side: 'i' | 'r',
  nonces: readonly Uint8Array[],
  told: Uint8Array
): Uint8Array {
  const { initiator, self, peer } = admission
  const hmac = createHmac('sha256', secret).update(CONTEXT).update(side)
  for (const id of initiator ? [self, peer] : [peer, self]) hmac.update(Uint8Array.of(id.length)).update(id)
  for (const nonce of nonces) hmac.update(nonce)
  return hmac.update(told).digest()
}

function stretch(key: Uint8Array, salt: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(key, salt, 32, SCRYPT, (err, secret) => (err === null ? resolve(secret) : reject(err)))
  })
}

function withoutLineBreak(key: Uint8Array): Uint8Array {
  let end = key.length
  while (end > 0 && (key[end - 1] === 0x0a || key[end - 1] === 0x0d)) end--
  return key.subarray(0, end)
}
