import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  SecureConnectionOptions,
  SecuredConnection
} from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { byteStream } from '@libp2p/utils'
import { SheafError } from '../../core/errors.js'
import type { Random } from '../../core/random.js'
import type { NodeVersion } from '../node-version.js'
import { WIRE_VERSION } from '../wire-version.js'
import { admit } from './admission.js'

type NoiseComponents = Parameters<ReturnType<typeof noise>>[0]
type Encrypted = SecuredConnection<unknown>

/** A node of another libp2p network fails to negotiate it. */
const PROTOCOL = `/sheaf/${WIRE_VERSION}/noise`

/** Joining larger messages would cost more than it saves. */
const WHOLE_BYTES_MAX = 16 * 1024

/** Constant, since libp2p keeps only an error's text and {@link isSelfDial} has to recognize it. */
const SELF = 'this is the node itself'

export interface AdmittingEncrypterInit {
  readonly self: PeerId
  readonly secrets: readonly Uint8Array[]
  /** What this node tells now. */
  readonly version: () => NodeVersion
  readonly random: Random
  /** Called with what each node of the cluster tells of its version, also when it is then refused for that. Default: nothing. */
  readonly onTold?: (version: NodeVersion) => void
  /** Called for each node that this one refused, or that refused this one, with the raw connection. */
  readonly onRefused: (peer: PeerId, err: SheafError, connection: MessageStream) => void
  /** Called for each admitted node, with the raw connection below the encryption and what the node told of its version. */
  readonly onAdmitted: (peer: PeerId, connection: MessageStream, version: NodeVersion) => void
}

/**
 * Noise, then {@link admit} inside it, as one step of opening a connection. For libp2p, and so for every protocol over it
 * (identify, ping, gossipsub, our own), a connection exists only once both sides have proven that they belong to the same
 * cluster: no protocol can answer a node that was not admitted.
 *
 * Decided against pnet, libp2p's own mechanism: a second cipher under all bytes, which costs 7–8 ms of CPU per MB and a
 * half to two thirds of the throughput, cannot accept an older key, and cannot tell a stranger from corrupt bytes. A proof
 * costs one round trip and four hashes per connection, and nothing afterwards. Decided against a `connectionGater` with a
 * proof over a separate protocol: every other protocol would have to wait for it.
 */
export function admittingEncrypter(init: AdmittingEncrypterInit): (components: NoiseComponents) => ConnectionEncrypter {
  return components => {
    const inner = noise()(components)
    return {
      protocol: PROTOCOL,
      secureInbound: async (connection, options) => {
        sendWhole(connection)
        return await admitted(connection, await inner.secureInbound(connection, options), false, init, options)
      },
      secureOutbound: async (connection, options) => {
        sendWhole(connection)
        return await admitted(connection, await inner.secureOutbound(connection, options), true, init, options)
      }
    }
  }
}

/**
 * Sends each small message in one write. Noise passes a message on as two parts, length and bytes, and libp2p's TCP makes a
 * system call and a packet of each, which wakes the other end twice: that costs a sixth of all CPU of small requests.
 */
function sendWhole(connection: MessageStream): void {
  const send = connection.send.bind(connection)
  connection.send = data => {
    const small = !(data instanceof Uint8Array) && data.byteLength <= WHOLE_BYTES_MAX
    return send(small ? data.subarray() : data)
  }
}

/** @returns whether the error, or one of an aggregate, is that of a node that dialed itself */
export function isSelfDial(err: unknown): boolean {
  if (err instanceof AggregateError) return err.errors.some(isSelfDial)
  return err instanceof Error && err.message.includes(SELF)
}

async function admitted(
  connection: MessageStream,
  secured: Encrypted,
  initiator: boolean,
  init: AdmittingEncrypterInit,
  options: SecureConnectionOptions | undefined
): Promise<Encrypted> {
  const { self, secrets, version, random, onTold, onRefused, onAdmitted } = init
  const peer = secured.remotePeer
  if (peer.equals(self)) throw new Error(SELF)
  const bytes = byteStream<MessageStream>(secured.connection)
  const limits = options?.signal === undefined ? {} : { signal: options.signal }
  let told: NodeVersion
  try {
    told = await admit({
      initiator,
      self: self.toMultihash().bytes,
      peer: peer.toMultihash().bytes,
      secrets,
      version: version(),
      random,
      ...(onTold && { onTold }),
      read: async byteCount => (await bytes.read({ ...limits, bytes: byteCount })).subarray(),
      write: async sent => await bytes.write(sent, limits)
    })
  } catch (err) {
    if (err instanceof SheafError) onRefused(peer, err, connection)
    throw err
  }
  onAdmitted(peer, connection, told)
  return { ...secured, connection: bytes.unwrap() }
}
