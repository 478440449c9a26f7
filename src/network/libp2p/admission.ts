/*
 * Admission: a handshake inside the encrypted connection, before any other protocol may use it.
 *
 *   step  from       bytes  field
 *   1     both       32     nonce, fresh and random
 *   2     initiator  64     two proofs
 *   3     responder  1      1: admitted, the proofs follow; 0: refused, nothing follows
 *   3     responder  64     two proofs
 *
 * A proof is HMAC-SHA-256 under a cluster secret over: CONTEXT, "i" or "r" for the side that proves, then both peer ids
 * (each after one byte with its length, the initiator's first) and both nonces (the initiator's first). The peer ids are
 * those that the encryption has authenticated, so a proof is invalid on another connection, from the other side, and a
 * second time. A node with one secret fills the second proof with random bytes. A side accepts any proof under any of its
 * secrets: during a key change, nodes with the old key, with both and with the new key can connect.
 *
 * A cluster secret is scrypt of the cluster key, salted with the cluster name; without a key, of the empty string, so that
 * the same handshake keeps clusters of different names apart. The initiator proves first: a node without the key learns
 * nothing by dialing. A node that is dialed can try to guess a weak key from the proofs; scrypt makes each guess cost.
 */
import { createHmac, scrypt, timingSafeEqual } from 'node:crypto'
import { SheafError } from '../../core/errors.js'
import { invariant } from '../../core/invariant.js'
import type { Random } from '../../core/random.js'

const NONCE_BYTES = 32
const PROOF_BYTES = 32
const PROOFS = 2
const CONTEXT = 'sheaf admission 1'
/** 16 MiB and some 40 ms for each guess, and for each start of a node. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1 } as const

/** Constants, since libp2p keeps only an error's text and {@link isRefusal} has to recognize it. */
const REFUSED_BY_PEER =
  'the other node refused this one: cluster names or keys differ; compare --cluster-name and --cluster-key'
const REFUSED_HERE =
  'this node refused the other one: cluster names or keys differ; compare --cluster-name and --cluster-key'

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
  readonly random: Random
  /** @returns exactly `byteCount` bytes; rejects when the connection ends first or the handshake takes too long */
  readonly read: (byteCount: number) => Promise<Uint8Array>
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/**
 * Proves to the other side that this node belongs to the cluster, and checks the other side's proof.
 *
 * @throws `ERR_PEER_REFUSED` when one of the two proofs fails; what `read` and `write` throw
 */
export async function admit(admission: Admission): Promise<void> {
  const { initiator, read, write, random } = admission
  const own = random.bytes(NONCE_BYTES)
  await write(own)
  const other = await read(NONCE_BYTES)
  const nonces = initiator ? [own, other] : [other, own]
  if (initiator) {
    await write(proofs(admission, nonces))
    const [verdict] = await read(1)
    if (verdict !== 1) throw new SheafError('ERR_PEER_REFUSED', REFUSED_BY_PEER)
    if (!proven(admission, nonces, await read(PROOFS * PROOF_BYTES))) throw refusedHere()
    return
  }
  if (!proven(admission, nonces, await read(PROOFS * PROOF_BYTES))) {
    await write(Uint8Array.of(0))
    throw refusedHere()
  }
  await write(Buffer.concat([Uint8Array.of(1), proofs(admission, nonces)]))
}

/** @returns whether the error, or one of an aggregate, is a refusal of {@link admit} */
export function isRefusal(err: unknown): boolean {
  if (err instanceof AggregateError) return err.errors.some(isRefusal)
  return err instanceof Error && (err.message.includes(REFUSED_BY_PEER) || err.message.includes(REFUSED_HERE))
}

function refusedHere(): SheafError {
  return new SheafError('ERR_PEER_REFUSED', REFUSED_HERE)
}

function proofs(admission: Admission, nonces: readonly Uint8Array[]): Uint8Array {
  const side = admission.initiator ? 'i' : 'r'
  const list = admission.secrets.map(secret => prove(admission, secret, side, nonces))
  while (list.length < PROOFS) list.push(admission.random.bytes(PROOF_BYTES))
  return Buffer.concat(list)
}

function proven(admission: Admission, nonces: readonly Uint8Array[], received: Uint8Array): boolean {
  const side = admission.initiator ? 'r' : 'i'
  return admission.secrets.some(secret => {
    const wanted = prove(admission, secret, side, nonces)
    return [0, PROOF_BYTES].some(at => timingSafeEqual(received.subarray(at, at + PROOF_BYTES), wanted))
  })
}

function prove(admission: Admission, secret: Uint8Array, side: 'i' | 'r', nonces: readonly Uint8Array[]): Uint8Array {
  const { initiator, self, peer } = admission
  const hmac = createHmac('sha256', secret).update(CONTEXT).update(side)
  for (const id of initiator ? [self, peer] : [peer, self]) hmac.update(Uint8Array.of(id.length)).update(id)
  for (const nonce of nonces) hmac.update(nonce)
  return hmac.digest()
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
